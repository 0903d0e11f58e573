import { check } from './check.js';
import { EMPTY_HISTORY } from './empty-history.js';
import type { Answer, History, ProcessHistory, TrueJob } from './history.js';

const KEY = { queue: 'q', jobSetId: 's' };
const JOB: TrueJob = { key: KEY, jobId: 'a', stages: [{ state: 'CANCELLED', at: 0, position: 1 }] };
const answer = (word: string): Answer => ({
  api: 'legacy',
  query: 'q1',
  key: KEY,
  jobId: 'a',
  askedAt: 100,
  answeredAt: 110,
  told: { kind: 'state', word },
});
const rulesBroken = (history: Partial<History>): string[] =>
  check({ ...EMPTY_HISTORY, ...history }).map(({ rule }) => rule);
const process = (rest: Partial<ProcessHistory>): History => ({
  ...EMPTY_HISTORY,
  processes: [{ name: 'ingester 1.1', lines: [], largestRssBytes: 1e8, ...rest }],
});

describe('a run', () => {
  it('must end with every end told', () => {
    expect(rulesBroken({ truth: [JOB], answers: [answer('CANCELLED')] })).toEqual([]);
    expect(rulesBroken({ truth: [JOB] })).toEqual(['ends that were never told (P4)']);
  });

  it('must bring ends to Redis though nobody polls', () => {
    const history = { truth: [JOB], answers: [answer('CANCELLED')] };
    expect(rulesBroken({ ...history, unpolled: [{ key: KEY, jobId: 'a', state: 'CANCELLED' }] })).toEqual([]);
    expect(rulesBroken({ ...history, unpolled: [{ key: KEY, jobId: 'a', state: 'RUNNING' }] })).toEqual([
      'ends that nobody noticed until somebody asked (P4)',
    ]);
  });

  it('must not watch more than the budget for long, unless Armada or Redis are in trouble', () => {
    const excess = { from: 5_000, to: 6_001, most: 5, allowed: 4 };
    const trouble = { kind: '', of: 'armada', from: 4_000, to: 4_500 } as const;
    expect(rulesBroken({ excesses: [excess] })).toEqual(['more watches at Armada than the budget']);
    expect(rulesBroken({ excesses: [{ ...excess, to: 6_000 }] })).toEqual([]);
    expect(rulesBroken({ excesses: [excess], troubles: [trouble] })).toEqual([]);
    expect(rulesBroken({ excesses: [excess], troubles: [{ ...trouble, to: 3_000, from: 2_000 }] })).toEqual([
      'more watches at Armada than the budget',
    ]);
  });

  it('must not have two turns of a job set in one process at once', () => {
    const line = (msg: string, jobSetId: string) => ({ level: 'info', msg, jobSetId });
    const [begin, other] = [line('following a job set', 's'), line('following a job set', 't')];
    expect(
      rulesBroken(process({ lines: [begin, other, line('stopped following a job set', 's'), begin] })),
    ).toEqual([]);
    expect(rulesBroken(process({ lines: [begin, other, begin] }))).toEqual([
      'two turns of a job set at once',
    ]);
  });

  it('must keep memory bounded, processes running and ends as they are', () => {
    const kept = {
      level: 'error',
      msg: 'ended jobs would have changed their state: they were kept as they were',
    };
    expect(rulesBroken(process({ largestRssBytes: 1e9 }))).toEqual(['memory that is not bounded']);
    expect(rulesBroken(process({ unexpectedExit: '1' }))).toEqual(['a process that ended by itself']);
    expect(rulesBroken(process({ lines: [kept] }))).toEqual(['an ended job would have changed (P1)']);
  });
});
