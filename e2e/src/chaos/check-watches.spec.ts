import type { JobState } from '@ajs/job-state';
import { BOUNDS } from './bounds.js';
import { checkWatches } from './check-watches.js';
import { EMPTY_HISTORY } from './empty-history.js';
import type { Answer, Disturbance, History, TrueJob, Watch, WatchEvent } from './history.js';

const KEY = { queue: 'q', jobSetId: 's' };

/** A job whose n-th stage began n seconds after the epoch. */
function job(jobId: string, states: readonly JobState[], rest: Partial<TrueJob> = {}): TrueJob {
  const stages = states.map((state, i) => ({ state, at: i * 1_000, position: i + 1, messages: 1 }));
  return { key: KEY, jobId, stages, ...rest };
}
const told = (at: number, text: string): WatchEvent => {
  const [jobId = '', state = ''] = text.split(' ');
  return state === '' ? { kind: text as 'bookmark', at } : { kind: 'job', at, jobId, state };
};
/** A stream of WatchJobSet that was given these events, a tenth of a second apart, and then left. */
function watch(events: readonly string[], rest: Partial<Watch> = {}): Watch {
  const requestedAt = rest.requestedAt ?? 5_000;
  return {
    method: 'WatchJobSet',
    chain: 0,
    query: 'q1',
    key: KEY,
    jobIds: ['a'],
    requestedAt,
    events: events.map((text, i) => told(requestedAt + (i + 1) * 100, text)),
    endedAt: requestedAt + 1_000,
    ...rest,
  };
}
const reported = (jobId: string, answeredAt: number, apiState: string): Answer => ({
  api: 'legacy',
  query: 'q2',
  key: KEY,
  jobId,
  requestedAt: answeredAt - 10,
  answeredAt,
  result: { kind: 'state', apiState },
});
const loss = (from: number): Disturbance => ({
  kind: 'redis older',
  of: 'redis',
  from,
  to: from + 50,
  lostWrites: true,
});
function rulesBroken(watches: readonly Watch[], rest: Partial<History> = {}): string[] {
  const history = { ...EMPTY_HISTORY, truth: [RUNS], watches, ...rest };
  return checkWatches(history, BOUNDS).map(({ rule }) => rule);
}

const RUNS = job('a', ['QUEUED', 'RUNNING', 'SUCCEEDED']);
const TWICE_OR_BACK = ['watch: sent twice or out of order'];
const TOO_LATE = ['watch: end sent too late'];

describe('a watcher', () => {
  it('may receive the jobs, the end of the snapshot, then changes, without states in between', () => {
    expect(rulesBroken([watch(['a QUEUED', 'snapshot-end', 'a SUCCEEDED', 'bookmark'])])).toEqual([]);
  });

  it('receives nothing twice, though the stream is another one that resumes', () => {
    expect(rulesBroken([watch(['a QUEUED', 'snapshot-end', 'a QUEUED', 'a SUCCEEDED'])])).toEqual(
      TWICE_OR_BACK,
    );
    const first = watch(['a SUCCEEDED', 'snapshot-end']);
    expect(rulesBroken([first, watch(['a SUCCEEDED'], { query: 'q2' })])).toEqual(TWICE_OR_BACK);
    expect(rulesBroken([first, watch(['a SUCCEEDED', 'snapshot-end'], { chain: 1 })])).toEqual([]);
  });

  it('receives a state again where another message about the job came, or api.Jobs was asked for it', () => {
    const again = [watch(['a QUEUED', 'snapshot-end', 'a QUEUED', 'a SUCCEEDED'])];
    const stages = RUNS.stages.map((stage) => ({ ...stage, messages: 2 }));
    expect(rulesBroken(again, { truth: [{ ...RUNS, stages }] })).toEqual([]);
    expect(rulesBroken(again, { truth: [{ ...RUNS, lookedUpAt: 4_000 }] })).toEqual([]);
    expect(rulesBroken(again, { truth: [{ ...RUNS, lookedUpAt: 6_000 }] })).toEqual(TWICE_OR_BACK);
  });

  it('receives the states of a job in their order', () => {
    const back = watch(['a RUNNING', 'snapshot-end', 'a QUEUED', 'a SUCCEEDED']);
    expect(rulesBroken([back])).toEqual(TWICE_OR_BACK);
    expect(rulesBroken([back], { truth: [{ ...RUNS, lookedUpAt: 4_000 }] })).toEqual(TWICE_OR_BACK);
    const retried = job('a', ['QUEUED', 'RUNNING', 'QUEUED', 'SUCCEEDED']);
    expect(rulesBroken([back], { truth: [retried] })).toEqual([]);
  });

  it('may receive again what came before Redis lost writes', () => {
    const again = watch(['a SUCCEEDED', 'snapshot-end', 'a RUNNING', 'a SUCCEEDED']);
    expect(rulesBroken([again])).toEqual(TWICE_OR_BACK);
    expect(rulesBroken([again], { disturbances: [loss(5_220)] })).toEqual([]);
  });

  it('receives all jobs that were known before it began by the end of the snapshot', () => {
    const missing = watch(['snapshot-end', 'a SUCCEEDED']);
    expect(rulesBroken([missing], { answers: [reported('a', 4_900, 'RUNNING')] })).toEqual([
      'watch: job missing from the snapshot',
    ]);
    expect(rulesBroken([missing], { answers: [reported('a', 5_010, 'RUNNING')] })).toEqual([]);
    const disturbances = [loss(4_950)];
    expect(rulesBroken([missing], { answers: [reported('a', 4_900, 'RUNNING')], disturbances })).toEqual([]);
  });

  it('receives one end of the snapshot, and no bookmark before it', () => {
    const [first, second] = [watch(['a SUCCEEDED', 'snapshot-end']), watch(['snapshot-end'])];
    expect(rulesBroken([first, second])).toEqual(['watch: second end of a snapshot']);
    expect(rulesBroken([watch(['a SUCCEEDED', 'bookmark', 'snapshot-end'])])).toEqual([
      'watch: bookmark within the snapshot',
    ]);
  });

  it('knows at last how each job is', () => {
    const [lacks, never] = [watch(['a RUNNING', 'snapshot-end']), watch(['snapshot-end'])];
    for (const one of [lacks, never]) expect(rulesBroken([one])).toEqual(['watch: last state never sent']);
    const forgotten = { ...RUNS, forgottenAt: 4_000 };
    expect(rulesBroken([lacks], { truth: [forgotten], disturbances: [loss(5_500)] })).toEqual([]);
  });

  it('receives every end soon after Redis has it, while there is no fault that holds it up', () => {
    const endedAt = 5_000 + BOUNDS.untilReceived + 1_000;
    const silent = watch(['a RUNNING', 'snapshot-end'], { endedAt });
    const resumed = watch(['a SUCCEEDED'], { requestedAt: endedAt });
    const answers = [reported('a', 5_900, 'SUCCEEDED')];
    expect(rulesBroken([silent, resumed], { answers })).toEqual(TOO_LATE);
    expect(rulesBroken([silent, resumed], { answers: [reported('a', 6_100, 'SUCCEEDED')] })).toEqual([]);
    const fault = { kind: '', from: 6_000, to: 6_200 };
    expect(rulesBroken([silent, resumed], { answers, disturbances: [{ ...fault, of: 'query' }] })).toEqual(
      [],
    );
    expect(rulesBroken([silent, resumed], { answers, disturbances: [{ ...fault, of: 'armada' }] })).toEqual(
      TOO_LATE,
    );
  });

  it('starts again only after Redis lost writes', () => {
    const refused = watch([], { end: { code: 'OUT_OF_RANGE', details: 'start again' } });
    const anew = watch(['a SUCCEEDED', 'snapshot-end'], { chain: 1, requestedAt: 7_000 });
    expect(rulesBroken([refused, anew])).toEqual(['watch: token refused without a lost generation']);
    expect(rulesBroken([refused, anew], { disturbances: [loss(5_500)] })).toEqual([]);
    expect(rulesBroken([refused, anew], { disturbances: [loss(4_000)] })).toHaveLength(1);
  });

  it('is not left without a fault', () => {
    const left = watch(['a SUCCEEDED', 'snapshot-end'], { end: { code: 'UNAVAILABLE', details: '' } });
    expect(rulesBroken([left])).toEqual(['watch: ended without a fault']);
    const stops = { kind: 'query stop', of: 'query', from: 5_900, to: 6_500 } as const;
    expect(rulesBroken([left], { disturbances: [stops] })).toEqual([]);
  });

  it('of named jobs is left once all of them have ended, not before', () => {
    const jobs = (...events: string[]) =>
      watch(events, { method: 'WatchJobs', end: { code: 'OK', details: '' } });
    expect(rulesBroken([jobs('a RUNNING', 'a SUCCEEDED')])).toEqual([]);
    expect(rulesBroken([jobs('a RUNNING')])).toEqual(['watch: ended before its jobs']);
  });
});
