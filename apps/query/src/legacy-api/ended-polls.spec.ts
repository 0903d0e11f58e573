import {
  JobServiceRequest,
  JobServiceResponse,
  JobServiceResponse_State as State,
} from '@ajs/contracts/jobservice/jobservice';
import type { Verdict } from '@ajs/auth';
import { ArmadaTime } from '@ajs/job-state';
import { status } from '@grpc/grpc-js';
import { Access } from '../access/access.js';
import { PREFIX_BYTES } from '../grpc/response.js';
import { testCaller } from '../testing/test-caller.js';
import { EndedPolls, type EndedPoll } from './ended-polls.js';
import { framedResponse } from './framed-response.js';
import type { Answer, JobStatusQuery } from './job-status-query.js';
import { legacyJobService, type LegacyService } from './legacy-job-service.js';

const REQUEST = { queue: 'q', jobSetId: 's', jobId: 'j' };
const bytesOf = (request: JobServiceRequest): Buffer =>
  Buffer.from(JobServiceRequest.encode(request).finish());
/** What a frame says, behind gRPC's prefix. */
const messageOf = (frame: Buffer | undefined): JobServiceResponse =>
  JobServiceResponse.decode(frame?.subarray(PREFIX_BYTES) ?? Buffer.alloc(0));

let verdict: Verdict | Promise<Verdict>;
let answer: Answer;
let asked: number;
let noted: string[];
let service: LegacyService;

beforeEach(() => {
  verdict = 'yes';
  const failure = { reason: 'exit 7' };
  answer = {
    kind: 'resolved',
    status: { state: 'FAILED', changedAt: ArmadaTime(1), failure },
    subscription: { state: 'live', reason: '' },
    isFinal: true,
  };
  asked = 0;
  noted = [];
  service = legacyJobService({
    access: new Access({
      authorizer: { identityOf: () => undefined, authenticate: () => undefined, mayWatch: () => verdict },
      jobsNeedWatch: false,
      queueNamesNeedWatch: false,
      waiting: (_, found) => found(),
    }),
    query: {
      run: () => {
        asked++;
        return Promise.resolve(answer);
      },
    } as unknown as JobStatusQuery,
    endedPolls: new EndedPolls(2),
    noteInterest: (_, tag, who) => noted.push(`${tag ?? ''} of ${who?.key ?? ''}`),
    armadaIsHealthy: () => Promise.resolve(true),
    answered: () => undefined,
    refused: () => undefined,
    redisFailed: () => undefined,
    internalError: () => undefined,
  });
});

/** As the gRPC server calls it. */
async function poll(bytes = bytesOf(REQUEST)) {
  const { definition } = service.getJobStatus;
  const { response, frame, trailers } = await service.getJobStatus.answer(
    definition.requestDeserialize(bytes) as JobServiceRequest,
    testCaller(),
  );
  return { response, frame, trailers };
}

describe('a poll of a job that has ended', () => {
  it('is answered from memory once it was answered, with the same bytes, and notes interest', async () => {
    const first = await poll();
    for (let i = 0; i < 3; i++) {
      const { frame, ...again } = await poll();
      expect(again).toEqual({ response: first.response, trailers: first.trailers });
      expect(frame).toBe(first.frame);
      expect(messageOf(frame)).toEqual(first.response);
    }
    expect(first.response).toEqual({ state: State.FAILED, error: 'exit 7' });
    expect([asked, noted]).toEqual([1, Array(3).fill('q/s of a caller')]);
  });

  it('is answered from memory whatever bytes its names are encoded with', async () => {
    const bytes = bytesOf({ ...REQUEST, queue: 'ü'.repeat(100), jobSetId: 's'.repeat(300) });
    for (let i = 0; i < 2; i++) expect((await poll(bytes)).response.state).toBe(State.FAILED);
    expect(asked).toBe(1);
  });

  it('is answered from memory only where it names the job’s own queue and job set', async () => {
    await poll();
    await poll(bytesOf({ ...REQUEST, queue: 'other' }));
    await poll(bytesOf({ ...REQUEST, jobSetId: 'other' }));
    expect(asked).toBe(3);
  });

  it('is answered from memory only where the caller may watch the queue, and there is one', async () => {
    await poll();
    verdict = 'no';
    await expect(poll()).rejects.toMatchObject({ code: status.PERMISSION_DENIED });
    verdict = 'no-queue';
    expect((await poll()).response.state).toBe(State.CONNECTION_ERR);
    expect(noted).toEqual([]);
  });

  it('is answered from memory also where the permission of its caller is found out first', async () => {
    await poll();
    verdict = Promise.resolve('yes');
    expect((await poll()).response).toEqual({ state: State.FAILED, error: 'exit 7' });
    expect(asked).toBe(1);
  });

  it.each(['no', 'no-queue'] as const)(
    'is not read, nor answered from memory, before the permission of its caller is found out: %s',
    async (found) => {
      await poll();
      for (const request of [REQUEST, { ...REQUEST, jobId: 'another' }]) {
        verdict = Promise.resolve(found);
        const answered = poll(bytesOf(request)).catch((error: unknown) => error);
        expect(await answered).toMatchObject(
          found === 'no' ? { code: status.PERMISSION_DENIED } : { response: { state: State.CONNECTION_ERR } },
        );
      }
      expect([asked, noted]).toEqual([1, []]);
    },
  );

  it('takes the room of one, however its request is encoded', async () => {
    await poll();
    // A field that is not known, behind the others: the same request.
    const odd = (n: number): Buffer => Buffer.concat([bytesOf(REQUEST), Buffer.from([0x78, n])]);
    for (let n = 0; n < 5; n++) expect((await poll(odd(n))).response.state).toBe(State.FAILED);
    expect(asked).toBe(6);
    await poll();
    expect(asked).toBe(6);
  });

  it('is read again where the end may still change', async () => {
    answer = { kind: 'resolved', status: { state: 'FAILED', changedAt: ArmadaTime(1) } };
    await poll();
    await poll();
    expect(asked).toBe(2);
  });
});

describe('the replies to polls of jobs that have ended', () => {
  it('are kept for those that were polled last', () => {
    const polls = new EndedPolls(2);
    const isKept = (jobId: string): boolean => 'reply' in polls.decode(bytesOf({ ...REQUEST, jobId }));
    const response = { state: State.SUCCEEDED, error: '' };
    for (const jobId of ['a', 'b']) polls.add({ ...REQUEST, jobId }, { response });
    expect(isKept('a')).toBe(true);
    polls.add({ ...REQUEST, jobId: 'c' }, { response });
    expect(['a', 'b', 'c'].map(isKept)).toEqual([true, false, true]);
  });

  it('take no more room than 1 KiB for each poll, so that fewer with long texts are kept, the last ones', () => {
    const polls = new EndedPolls(10);
    const isKept = (n: number): boolean => 'reply' in polls.decode(bytesOf({ ...REQUEST, jobId: `j${n}` }));
    const add = (n: number, error: string): void =>
      polls.add({ ...REQUEST, jobId: `j${n}` }, { response: { state: State.FAILED, error } });
    for (let n = 0; n < 10; n++) add(n, 'exit code 1');
    expect(isKept(0)).toBe(true);
    for (let n = 10; n < 20; n++) add(n, 'x'.repeat(4_096));
    expect(Array.from({ length: 20 }, (_, n) => n).filter(isKept)).toEqual([19]);
  });

  it('are fewer, too, where their names are long', () => {
    const polls = new EndedPolls(10);
    const requests = Array.from({ length: 10 }, (_, n) => ({
      ...REQUEST,
      queue: 'q'.repeat(700),
      jobId: `${n}`,
    }));
    for (const request of requests) polls.add(request, { response: { state: State.SUCCEEDED, error: '' } });
    const kept = requests.map((request) => 'reply' in polls.decode(bytesOf(request)));
    expect(kept).toEqual([false, ...Array<boolean>(9).fill(true)]);
  });

  it('are kept each with its own text, and those without one share their bytes', () => {
    const polls = new EndedPolls(10);
    const texts = ['', 'exit 1', '', 'exit 2', ''];
    const requestOf = (n: number): JobServiceRequest => ({ ...REQUEST, jobId: `j${n}` });
    for (const [n, error] of texts.entries()) {
      polls.add(requestOf(n), framedResponse({ state: State.FAILED, error }));
    }
    const replies = texts.map((_, n) => (polls.decode(bytesOf(requestOf(n))) as EndedPoll).reply);
    for (const n of texts.keys()) expect(polls.decode(bytesOf(requestOf(n)))).toMatchObject(requestOf(n));
    for (const [n, { response, frame, ...others }] of replies.entries()) {
      expect(response).toEqual({ state: State.FAILED, error: texts[n] });
      expect(messageOf(frame)).toEqual(response);
      expect(Object.keys(others)).toEqual([]);
    }
    expect(new Set(replies.map(({ frame }) => frame)).size).toBe(3);
  });
});
