import { check } from './check.js';
import { EMPTY_HISTORY } from './empty-history.js';
import type { Answer, History, ProcessHistory, TrueJob } from './history.js';

const KEY = { queue: 'q', jobSetId: 's' };
const JOB: TrueJob = {
  key: KEY,
  jobId: 'a',
  stages: [{ state: 'CANCELLED', at: 0, position: 1, messages: 1 }],
};
const answer = (apiState: string): Answer => ({
  api: 'legacy',
  query: 'q1',
  key: KEY,
  jobId: 'a',
  requestedAt: 100,
  answeredAt: 110,
  result: { kind: 'state', apiState },
});
const rulesBroken = (history: Partial<History>): string[] =>
  check({ ...EMPTY_HISTORY, ...history }).map(({ rule }) => rule);
const process = (rest: Partial<ProcessHistory>): History => ({
  ...EMPTY_HISTORY,
  processes: [{ name: 'ingester 1.1', lines: [], largestRssBytes: 1e8, ...rest }],
});

describe('a run', () => {
  it('must end with every terminal state reported', () => {
    expect(rulesBroken({ truth: [JOB], answers: [answer('CANCELLED')] })).toEqual([]);
    expect(rulesBroken({ truth: [JOB] })).toEqual(['terminal state never reported (P4)']);
  });

  it('must bring terminal states to Redis without polls', () => {
    const history = { truth: [JOB], answers: [answer('CANCELLED')] };
    expect(rulesBroken({ ...history, unpolled: [{ key: KEY, jobId: 'a', state: 'CANCELLED' }] })).toEqual([]);
    expect(rulesBroken({ ...history, unpolled: [{ key: KEY, jobId: 'a', state: 'RUNNING' }] })).toEqual([
      'terminal state not in Redis without a poll (P4)',
    ]);
  });

  it('must not exceed the watch budget for long, except during faults of Armada or Redis', () => {
    const excess = { from: 5_000, to: 6_001, most: 5, allowed: 4 };
    const disturbance = { kind: '', of: 'armada', from: 4_000, to: 4_500 } as const;
    expect(rulesBroken({ excesses: [excess] })).toEqual(['more watches at Armada than the budget allows']);
    expect(rulesBroken({ excesses: [{ ...excess, to: 6_000 }] })).toEqual([]);
    expect(rulesBroken({ excesses: [excess], disturbances: [disturbance] })).toEqual([]);
    expect(
      rulesBroken({ excesses: [excess], disturbances: [{ ...disturbance, to: 3_000, from: 2_000 }] }),
    ).toEqual(['more watches at Armada than the budget allows']);
  });

  it('must not have two assignments of one job set in a process at once', () => {
    const line = (msg: string, jobSetId: string) => ({ level: 'info', msg, jobSetId });
    const [begin, other] = [line('following a job set', 's'), line('following a job set', 't')];
    expect(
      rulesBroken(process({ lines: [begin, other, line('stopped following a job set', 's'), begin] })),
    ).toEqual([]);
    expect(rulesBroken(process({ lines: [begin, other, begin] }))).toEqual([
      'two assignments of one job set at once',
    ]);
  });

  it('must keep memory bounded, processes running and terminal states unchanged', () => {
    const kept = {
      level: 'error',
      msg: 'refused to change the state of terminal jobs; kept the first state',
    };
    expect(rulesBroken(process({ largestRssBytes: 1e9 }))).toEqual(['memory above the limit']);
    expect(rulesBroken(process({ unexpectedExit: '1' }))).toEqual(['process exited unexpectedly']);
    expect(rulesBroken(process({ lines: [kept] }))).toEqual(['terminal state would have changed (P1)']);
  });
});
