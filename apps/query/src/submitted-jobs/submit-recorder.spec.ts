import {
  JobSubmitRequest,
  JobSubmitRequestItem,
  JobSubmitResponse,
  type JobSubmitResponseItem,
} from '@ajs/contracts/api/submit';
import { JobId, ArmadaTime, type JobSetKey } from '@ajs/job-state';
import type { ProvisionalJob } from '@ajs/job-store';
import { eventually, hostileMessages, wireField } from '@ajs/testing';
import { recordSubmits } from './submit-recorder.js';

const NOW = ArmadaTime(1_700_000_000_000);
const KEY = { queue: 'q', jobSetId: 's' };
const EMPTY = JobSubmitRequestItem.decode(new Uint8Array());

let written: [JobSetKey, ProvisionalJob[]][];
let resolved: string[][];
let noted: JobSetKey[];
let failures: Error[];
let problems: string[];
let redisFailures: Error[];
let write: () => Promise<void>;
let resolveJobs: () => Promise<void>;

beforeEach(() => {
  [written, resolved, noted, failures, redisFailures, problems] = [[], [], [], [], [], []];
  write = resolveJobs = () => Promise.resolve();
});

const record = recordSubmits({
  provisionalJobs: {
    addProvisionalJobs: (key, jobs) => {
      written.push([key, [...jobs]]);
      return write();
    },
  },
  resolve: (jobIds) => {
    resolved.push([...jobIds]);
    return resolveJobs();
  },
  noteInterest: (key) => noted.push(key),
  redisFailed: (error) => redisFailures.push(error),
  failed: (error) => failures.push(error),
  notRead: (problem) => problems.push(problem),
  now: () => NOW,
});

const requestOf = (items: Partial<JobSubmitRequestItem>[], key = KEY): Buffer =>
  Buffer.from(
    JobSubmitRequest.encode({
      ...key,
      jobRequestItems: items.map((item) => ({ ...EMPTY, ...item })),
    }).finish(),
  );

const responseOf = (items: Partial<JobSubmitResponseItem>[]): Buffer =>
  Buffer.from(
    JobSubmitResponse.encode({
      jobResponseItems: items.map((item) => ({ jobId: '', error: '', ...item })),
    }).finish(),
  );

const job = (jobId: string, externalUri?: string): ProvisionalJob => ({
  jobId: JobId(jobId),
  state: 'SUBMITTED',
  changedAt: NOW,
  submittedAt: NOW,
  ...(externalUri !== undefined && { externalUri }),
});

describe('a forwarded submit', () => {
  it('has its jobs recorded, by position, and its job set followed', async () => {
    await record(requestOf([{}, {}]), responseOf([{ jobId: 'a' }, { jobId: 'b' }]));
    expect(written).toEqual([[KEY, [job('a'), job('b')]]]);
    expect(noted).toEqual([KEY]);
    expect([resolved, failures]).toEqual([[], []]);
  });

  it('has a job recorded with the time in its id, which is Armada’s, and not that of this process', async () => {
    const jobId = '01h455vb4pex5vsknk084sn02q';
    await record(requestOf([{}]), responseOf([{ jobId }]));
    const at = ArmadaTime(1_688_096_058_518);
    expect(written).toEqual([[KEY, [{ ...job(jobId), changedAt: at, submittedAt: at }]]]);
  });

  it('has a job recorded with the URI by which Armada finds it: its own field, else its annotation', async () => {
    const annotations = { 'armadaproject.io/externalJobUri': 'annotated' };
    await record(
      requestOf([
        { externalJobUri: 'own', annotations },
        { annotations },
        { annotations: { other: 'x' } },
        { externalJobUri: 'x'.repeat(2_000) },
      ]),
      responseOf(['a', 'b', 'c', 'd'].map((jobId) => ({ jobId }))),
    );
    expect(written[0]?.[1]).toEqual([
      job('a', 'own'),
      job('b', 'annotated'),
      job('c'),
      job('d', 'x'.repeat(1_024)),
    ]);
  });

  it('has no job recorded for items that were rejected, or that have no usable id', async () => {
    await record(
      requestOf([{ externalJobUri: 'first' }, {}, {}, { externalJobUri: 'fourth' }, {}]),
      responseOf([
        { error: 'no' },
        { jobId: 'half', error: 'no' },
        {},
        { jobId: 'd' },
        { jobId: 'x'.repeat(64) },
      ]),
    );
    expect(written).toEqual([[KEY, [job('d', 'fourth')]]]);
  });

  it('has nothing recorded and nothing followed where it was rejected as a whole', async () => {
    await record(requestOf([{}]), responseOf([{ error: 'no' }]));
    await record(requestOf([]), responseOf([]));
    await record(requestOf([{}], { queue: '', jobSetId: 's' }), responseOf([{ jobId: 'a' }]));
    await record(requestOf([{}], { queue: 'q', jobSetId: 'x'.repeat(1_025) }), responseOf([{ jobId: 'a' }]));
    expect([written, noted, resolved, failures]).toEqual([[], [], [], []]);
  });

  it('has jobs with client ids resolved by Armada, once: it may have answered with older jobs', async () => {
    await record(
      requestOf([{ clientId: 'mine' }, {}, { clientId: 'too' }]),
      responseOf([{ jobId: 'older' }, { jobId: 'new' }, { jobId: 'other' }]),
    );
    expect(resolved).toEqual([['older', 'other']]);
    expect(written).toEqual([[KEY, [job('new')]]]);
    expect(noted).toEqual([KEY]);
  });

  it('has its job set followed also where all of its jobs have client ids', async () => {
    await record(requestOf([{ clientId: 'mine' }]), responseOf([{ jobId: 'older' }]));
    expect([written, resolved, noted]).toEqual([[], [['older']], [KEY]]);
  });

  it('is answered after the write to Redis, so that the next poll finds the job', async () => {
    let isWritten = false;
    write = async () => {
      // Some turns of the queue that goes before all timers: on a busy machine no less than on an idle one.
      for (let turn = 0; turn < 20; turn++) await Promise.resolve();
      isWritten = true;
    };
    await record(requestOf([{}]), responseOf([{ jobId: 'a' }]));
    expect(isWritten).toBe(true);
  });

  it('is answered soon also where neither Redis nor Armada answers', async () => {
    write = resolveJobs = () => new Promise(() => undefined);
    let isAnswered = false;
    void record(requestOf([{}, { clientId: 'c' }]), responseOf([{ jobId: 'a' }, { jobId: 'b' }])).then(
      () => (isAnswered = true),
    );
    await eventually('it is answered', () => isAnswered);
    expect([written.length, resolved.length, failures.length]).toEqual([1, 1, 0]);
  });

  it.each([
    ['Redis', 1, () => (write = () => Promise.reject(new Error('Connection is closed.')))],
    ['Armada', 0, () => (resolveJobs = () => Promise.reject(new Error('UNAVAILABLE')))],
  ])('is answered when %s fails, and the failure is reported by its cause', async (_, ofRedis, fail) => {
    fail();
    await record(requestOf([{}, { clientId: 'c' }]), responseOf([{ jobId: 'a' }, { jobId: 'b' }]));
    await eventually('it is reported', () => failures.length === 1);
    expect(redisFailures).toHaveLength(ofRedis);
    expect(noted).toEqual([KEY]);
  });

  describe('on whose messages decoders differ', () => {
    const answer = responseOf([{ jobId: 'a' }]);
    const nothingLearned = (): void => expect([written, resolved, noted, failures]).toEqual([[], [], [], []]);

    it.each(hostileMessages(1))('has nothing recorded and nothing followed: $title', async ({ bytes }) => {
      const item = wireField(3, wireField(13, 'planted'));
      await record(Buffer.concat([wireField(2, 's'), item, bytes]), answer);
      nothingLearned();
      expect(problems).toHaveLength(1);
    });

    it.each<[string, Buffer, Buffer, string]>([
      [
        'a field of a newer client',
        Buffer.concat([requestOf([{}]), wireField(4, 'x')]),
        answer,
        'in the request, this version does not know field 4 of api.JobSubmitRequest',
      ],
      [
        'a field of a newer server',
        requestOf([{}]),
        Buffer.concat([answer, wireField(2, 'x')]),
        'in the response, this version does not know field 2 of api.JobSubmitResponse',
      ],
      [
        'an answer that is cut off',
        requestOf([{}]),
        answer.subarray(0, -1),
        'in the response, a value is cut off',
      ],
      ['fewer answers than items', requestOf([{}, {}]), answer, 'the response has 1 items for 2'],
      ['more answers than items', requestOf([]), answer, 'the response has 1 items for 0'],
    ])('has nothing recorded, and the problem reported: %s', async (_, request, response, problem) => {
      await record(request, response);
      nothingLearned();
      expect(problems).toEqual([problem]);
    });
  });

  it('has the jobs of several items with one URI recorded with it', async () => {
    await record(
      requestOf([{ externalJobUri: 'u' }, { externalJobUri: 'u' }]),
      responseOf([{ jobId: 'a' }, { jobId: 'b' }]),
    );
    expect(written).toEqual([[KEY, [job('a', 'u'), job('b', 'u')]]]);
  });

  it('has very many jobs recorded in chunks, up to a limit', async () => {
    const ids = Array.from({ length: 10_100 }, (_, i) => ({ jobId: `j${i}` }));
    await record(requestOf(ids.map(() => ({}))), responseOf(ids));
    await eventually('the last part is written', () => written.length === 20);
    expect(Math.max(...written.map(([, jobs]) => jobs.length))).toBe(500);
    const recorded = written.flatMap(([, jobs]) => jobs.map(({ jobId }) => jobId));
    expect(recorded).toEqual(ids.slice(0, 10_000).map(({ jobId }) => jobId));
  });
});
