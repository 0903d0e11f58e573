import { BOUNDS } from './bounds.js';
import { checkWaits } from './check-waits.js';
import { EMPTY_HISTORY } from './empty-history.js';
import type { Answer, Disturbance, History, TrueJob, Wait } from './history.js';

const KEY = { queue: 'q', jobSetId: 's' };
const stage = { messages: 1 };
const ends = (jobId: string, at: number): TrueJob => ({
  key: KEY,
  jobId,
  stages: [
    { state: 'RUNNING', at: 0, position: 1, ...stage },
    { state: 'SUCCEEDED', at, position: 2, ...stage },
  ],
});
/** A wait of ten seconds for the end of both jobs. */
function wait(rest: Partial<Wait> = {}): Wait {
  return {
    query: 'q1',
    key: KEY,
    jobIds: ['a', 'b'],
    count: 2,
    states: [],
    maxWaitMs: 10_000,
    requestedAt: 1_000,
    answeredAt: 3_000,
    satisfied: true,
    reported: {},
    ...rest,
  };
}
const reported = (jobId: string, answeredAt: number): Answer => ({
  api: 'legacy',
  query: 'q2',
  key: KEY,
  jobId,
  requestedAt: answeredAt - 10,
  answeredAt,
  result: { kind: 'state', apiState: 'SUCCEEDED' },
});
function rulesBroken(one: Wait, rest: Partial<History> = {}): string[] {
  const truth = [ends('a', 2_000), ends('b', 2_500)];
  return checkWaits({ ...EMPTY_HISTORY, truth, waits: [one], ...rest }, BOUNDS).map(({ rule }) => rule);
}

describe('a wait', () => {
  it('is satisfied once as many jobs have come as it waits for, and not before', () => {
    const early = { answeredAt: 2_200 };
    expect(rulesBroken(wait())).toEqual([]);
    expect(rulesBroken(wait(early))).toEqual(['wait satisfied without its condition']);
    expect(rulesBroken(wait({ ...early, count: 1 }))).toEqual([]);
    expect(rulesBroken(wait({ ...early, states: ['RUNNING'] }))).toEqual([]);
  });

  it('is satisfied where what it reports satisfies it', () => {
    const over = { satisfied: false, answeredAt: 11_000, reported: { a: 'SUCCEEDED', b: 'RUNNING' } };
    expect(rulesBroken(wait(over))).toEqual([]);
    expect(rulesBroken(wait({ ...over, count: 1 }))).toEqual(['wait not satisfied by what it reports']);
    expect(rulesBroken(wait({ ...over, states: ['RUNNING'] }))).toHaveLength(1);
  });

  it('lasts as long as it may, but where its query stops', () => {
    const given = wait({ satisfied: false, answeredAt: 5_000 });
    expect(rulesBroken(given)).toEqual(['wait given up before its time']);
    const stops: Disturbance = { kind: 'query stop', of: 'query', from: 4_900, to: 5_100 };
    expect(rulesBroken(given, { disturbances: [stops] })).toEqual([]);
  });

  describe('is woken soon after Redis has what it waits for', () => {
    const late = wait({ satisfied: false, answeredAt: 11_100 });
    const tooLate = ['wait not woken in time'];
    const answers = [reported('a', 2_100), reported('b', 3_000)];

    it('whether or not it says so in the end', () => {
      expect(rulesBroken(late, { answers })).toEqual(tooLate);
      expect(rulesBroken({ ...late, satisfied: true }, { answers })).toEqual(tooLate);
      expect(rulesBroken(late, { answers: [reported('a', 2_100), reported('b', 3_200)] })).toEqual([]);
      expect(rulesBroken(late, { answers: [reported('a', 2_100)] })).toEqual([]);
    });

    it('though not while a fault holds it up, nor where Redis lost it', () => {
      const fault: Disturbance = { kind: '', of: 'redis', from: 3_100, to: 3_500 };
      expect(rulesBroken(late, { answers, disturbances: [fault] })).toEqual([]);
      expect(rulesBroken(late, { answers, disturbances: [{ ...fault, of: 'armada' }] })).toEqual(tooLate);
      const loss: Disturbance = { ...fault, from: 10_900, to: 11_000, lostWrites: true };
      expect(rulesBroken(late, { answers, disturbances: [loss] })).toEqual([]);
    });
  });
});
