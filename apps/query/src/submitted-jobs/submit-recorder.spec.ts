import {
  JobSubmitRequest,
  JobSubmitRequestItem,
  JobSubmitResponse,
  type JobSubmitResponseItem,
} from '@ajs/contracts/api/submit';
import type { JobSetKey } from '@ajs/job-state';
import type { ProvisionalJob } from '@ajs/job-store';
import { eventually } from '@ajs/testing';
import { recordSubmits } from './submit-recorder.js';

const NOW = 1_700_000_000_000;
const KEY = { queue: 'q', jobSetId: 's' };
const EMPTY = JobSubmitRequestItem.decode(new Uint8Array());

let written: [JobSetKey, ProvisionalJob[]][];
let settled: string[][];
let noted: JobSetKey[];
let failures: Error[];
let write: () => Promise<void>;
let settle: () => Promise<void>;

beforeEach(() => {
  [written, settled, noted, failures] = [[], [], [], []];
  write = settle = () => Promise.resolve();
});

const learn = recordSubmits({
  provisionalJobs: {
    addProvisionalJobs: (key, jobs) => {
      written.push([key, [...jobs]]);
      return write();
    },
  },
  resolve: (jobIds) => {
    settled.push([...jobIds]);
    return settle();
  },
  noteInterest: (key) => noted.push(key),
  failed: (error) => failures.push(error),
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
  jobId,
  state: 'SUBMITTED',
  changedAt: NOW,
  submittedAt: NOW,
  ...(externalUri !== undefined && { externalUri }),
});

describe('a forwarded submit', () => {
  it('tells of its jobs, by position, and has the job set followed', async () => {
    await learn(requestOf([{}, {}]), responseOf([{ jobId: 'a' }, { jobId: 'b' }]));
    expect(written).toEqual([[KEY, [job('a'), job('b')]]]);
    expect(noted).toEqual([KEY]);
    expect([settled, failures]).toEqual([[], []]);
  });

  it('tells of the URI by which Armada finds a job: its own field, else its annotation', async () => {
    const annotations = { 'armadaproject.io/externalJobUri': 'annotated' };
    await learn(
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

  it('tells nothing of items that were refused, or that have no usable id', async () => {
    await learn(
      requestOf([{ externalJobUri: 'first' }, {}, {}, { externalJobUri: 'fourth' }, {}]),
      responseOf([
        { error: 'no' },
        { jobId: 'half', error: 'no' },
        {},
        { jobId: 'd' },
        { jobId: 'x'.repeat(1_025) },
      ]),
    );
    expect(written).toEqual([[KEY, [job('d', 'fourth')]]]);
  });

  it('that was refused as a whole tells nothing, and nobody is interested', async () => {
    await learn(requestOf([{}]), responseOf([{ error: 'no' }]));
    await learn(requestOf([]), responseOf([]));
    await learn(requestOf([]), responseOf([{ jobId: 'more than was asked' }]));
    await learn(requestOf([{}], { queue: '', jobSetId: 's' }), responseOf([{ jobId: 'a' }]));
    await learn(requestOf([{}], { queue: 'q', jobSetId: 'x'.repeat(1_025) }), responseOf([{ jobId: 'a' }]));
    expect([written, noted, settled, failures]).toEqual([[], [], [], []]);
  });

  it('with client ids may have been answered with older jobs: Armada settles which, once', async () => {
    await learn(
      requestOf([{ clientId: 'mine' }, {}, { clientId: 'too' }]),
      responseOf([{ jobId: 'older' }, { jobId: 'new' }, { jobId: 'other' }]),
    );
    expect(settled).toEqual([['older', 'other']]);
    expect(written).toEqual([[KEY, [job('new')]]]);
    expect(noted).toEqual([KEY]);
  });

  it('waits for Redis, so that the next poll finds the job', async () => {
    let isWritten = false;
    write = async () => {
      // Some turns of the queue that goes before all timers: on a busy machine no less than on an idle one.
      for (let turn = 0; turn < 20; turn++) await Promise.resolve();
      isWritten = true;
    };
    await learn(requestOf([{}]), responseOf([{ jobId: 'a' }]));
    expect(isWritten).toBe(true);
  });

  it('does not wait long: not where Redis does not answer, nor for Armada', async () => {
    write = settle = () => new Promise(() => undefined);
    await learn(requestOf([{}, { clientId: 'c' }]), responseOf([{ jobId: 'a' }, { jobId: 'b' }]));
    expect([written.length, settled.length, failures.length]).toEqual([1, 1, 0]);
  });

  it.each([
    ['Redis fails', () => (write = () => Promise.reject(new Error('away')))],
    ['Armada fails', () => (settle = () => Promise.reject(new Error('away')))],
  ])('is not harmed when %s; it is told aside', async (_, fail) => {
    fail();
    await learn(requestOf([{}, { clientId: 'c' }]), responseOf([{ jobId: 'a' }, { jobId: 'b' }]));
    await eventually('it is told', () => failures.length === 1);
    expect(noted).toEqual([KEY]);
  });

  it('is not harmed when it cannot be read here', async () => {
    await learn(Buffer.from([0x0a, 0xff]), responseOf([{ jobId: 'a' }]));
    expect([written.length, failures.length]).toEqual([0, 1]);
  });

  it('of very many jobs is learned from in parts, up to a bound', async () => {
    const ids = Array.from({ length: 10_100 }, (_, i) => ({ jobId: `j${i}` }));
    await learn(requestOf(ids.map(() => ({}))), responseOf(ids));
    await eventually('the last part is written', () => written.length === 20);
    expect(Math.max(...written.map(([, jobs]) => jobs.length))).toBe(500);
    expect(written.at(-1)?.[1].at(-1)?.jobId).toBe('j9999');
  });
});
