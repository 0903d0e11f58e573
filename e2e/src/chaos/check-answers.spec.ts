import type { JobState } from '@ajs/job-state';
import { jobIdFor, mintedAt } from '../job-ids.js';
import { BOUNDS } from './bounds.js';
import { checkAnswers } from './check-answers.js';
import { EMPTY_HISTORY } from './empty-history.js';
import type { Answer, Api, Stage, Disturbance, TrueJob } from './history.js';

const KEY = { queue: 'q', jobSetId: 's' };

/** A job whose n-th stage began n seconds after the epoch, each with the next message, which was published at once. */
function job(jobId: string, states: readonly JobState[], first = 1): TrueJob {
  const stages = states.map((state, i): Stage => ({
    state,
    at: i * 1_000,
    publishedAt: i * 1_000,
    position: first + i,
    messages: 1,
  }));
  return { key: KEY, jobId, stages };
}

function answer(jobId: string, requestedAt: number, apiState: string, rest: Partial<Answer> = {}): Answer {
  const result: Answer['result'] =
    apiState === 'not-found' ? { kind: apiState } : { kind: 'state', apiState };
  return {
    api: 'legacy',
    query: 'q1',
    key: KEY,
    jobId,
    requestedAt,
    answeredAt: requestedAt + 10,
    result,
    ...rest,
  };
}

function rulesBroken(
  truth: readonly TrueJob[],
  answers: readonly Answer[],
  disturbances: readonly Disturbance[] = [],
): string[] {
  return checkAnswers({ ...EMPTY_HISTORY, truth, answers, disturbances }).map(({ rule }) => rule);
}

const RUNS = job('a', ['QUEUED', 'RUNNING', 'SUCCEEDED']);

describe('answers', () => {
  it('may lag the truth by a moment', () => {
    const answers = [
      answer('a', 500, 'SUBMITTED'),
      answer('a', 1_100, 'SUBMITTED'),
      answer('a', 1_200, 'RUNNING'),
      answer('a', 2_100, 'SUCCEEDED'),
      answer('a', 9_000, 'SUCCEEDED'),
    ];
    expect(rulesBroken([RUNS], answers)).toEqual([]);
  });

  it('violate when they report a state the job never had, or had only later', () => {
    expect(rulesBroken([RUNS], [answer('a', 2_500, 'FAILED')])).toEqual([
      'reported a state the job never had',
    ]);
    expect(rulesBroken([RUNS], [answer('a', 500, 'SUCCEEDED')])).toEqual([
      'reported a state the job never had',
    ]);
  });

  it.each<[Api, Api]>([
    ['jobs', 'jobs'],
    ['jobs', 'legacy'],
    ['legacy', 'jobs'],
  ])('violate P1 when they change a terminal state: reported by %s, then by %s', (first, then) => {
    const answers = [
      answer('a', 2_100, 'SUCCEEDED', { api: first }),
      answer('a', 2_200, 'RUNNING', { api: then, query: 'q2' }),
    ];
    const lookedUp = { ...RUNS, lookedUpAt: 2_050 };
    expect(rulesBroken([lookedUp], answers)).toEqual(['terminal state changed (P1)']);
  });

  it('report one terminal state by the names of both APIs', () => {
    const preempted = job('a', ['RUNNING', 'PREEMPTED']);
    const answers = [answer('a', 1_100, 'PREEMPTED', { api: 'jobs' }), answer('a', 1_200, 'FAILED')];
    expect(rulesBroken([preempted], answers)).toEqual([]);
  });

  it('violate P1 when they report an earlier state of a run than one before, whatever API and query', () => {
    const leased = { ...job('a', ['QUEUED', 'LEASED', 'RUNNING']), lookedUpAt: 100 };
    const earlier = ['reported an earlier state than before (P1)'];
    const runs = answer('a', 2_100, 'RUNNING', { api: 'jobs' });
    expect(rulesBroken([leased], [runs, answer('a', 2_200, 'LEASED', { api: 'jobs' })])).toEqual(earlier);
    expect(rulesBroken([leased], [runs, answer('a', 2_200, 'SUBMITTED', { query: 'q2' })])).toEqual(earlier);
    expect(rulesBroken([leased], [answer('a', 2_100, 'SUBMITTED'), runs])).toEqual([]);
  });

  it('may be as old as what was known when they were requested, however late they are received', () => {
    const again = job('a', ['QUEUED', 'RUNNING', 'QUEUED', 'RUNNING', 'SUCCEEDED']);
    const others = [
      answer('a', 1_200, 'RUNNING'),
      answer('a', 2_100, 'SUBMITTED'),
      answer('a', 3_200, 'SUBMITTED'),
    ];
    const requestedAt = (at: number): Answer => answer('a', at, 'RUNNING', { answeredAt: 3_100 });
    expect(rulesBroken([again], [...others, requestedAt(1_050)])).toEqual([]);
    expect(rulesBroken([again], [...others, requestedAt(2_200)])).toContain(
      'reported an earlier state than before (P1)',
    );
  });

  it('violate P1 when they go back, even on another job of the set and another query', () => {
    const other = job('b', ['QUEUED', 'RUNNING'], 10);
    // An answer that b runs needs message 11, and a ended with message 3.
    const answers = [answer('b', 2_500, 'RUNNING'), answer('a', 2_600, 'RUNNING', { query: 'q2' })];
    expect(rulesBroken([RUNS, other], answers)).toEqual(['answered from an older cursor (P1)']);
  });

  it('say nothing about the cursor once Armada’s api.Jobs was asked for the job', () => {
    const ended = job('b', ['QUEUED', 'CANCELLED'], 10);
    const behind = [answer('b', 2_500, 'CANCELLED'), answer('a', 2_600, 'RUNNING')];
    const older = ['answered from an older cursor (P1)'];
    expect(rulesBroken([RUNS, ended], behind)).toEqual(older);
    expect(rulesBroken([RUNS, { ...ended, lookedUpAt: 2_400 }], behind)).toEqual([]);
    expect(rulesBroken([{ ...RUNS, lookedUpAt: 2_400 }, ended], behind)).toEqual([]);
    expect(rulesBroken([RUNS, { ...ended, lookedUpAt: 2_700 }], behind)).toEqual(older);
  });

  it('may be older than one that arrived after they were requested', () => {
    const answers = [answer('a', 2_100, 'SUCCEEDED'), answer('a', 2_105, 'RUNNING', { answeredAt: 2_200 })];
    expect(rulesBroken([RUNS], answers)).toEqual([]);
  });

  it('may repeat a state when a job runs again', () => {
    const retried = job('a', ['QUEUED', 'RUNNING', 'QUEUED', 'RUNNING']);
    const answers = [
      answer('a', 1_100, 'RUNNING'),
      answer('a', 2_100, 'SUBMITTED'),
      answer('a', 3_100, 'RUNNING'),
    ];
    expect(rulesBroken([retried], answers)).toEqual([]);
  });

  it('may go back for a bounded time after Redis lost writes, but never to another terminal state', () => {
    const loss: Disturbance = { kind: 'redis older', of: 'redis', from: 2_500, to: 2_600, lostWrites: true };
    const before = answer('a', 2_100, 'SUCCEEDED');
    expect(rulesBroken([RUNS], [before, answer('a', 2_700, 'RUNNING')], [loss])).toEqual([]);
    const afterwards = loss.to + BOUNDS.olderAfterLoss + 1;
    expect(rulesBroken([RUNS], [before, answer('a', afterwards, 'RUNNING')], [loss])).toEqual([
      'terminal state changed (P1)',
      'answered from an older cursor (P1)',
    ]);
    expect(rulesBroken([RUNS], [before, answer('a', 2_700, 'FAILED')], [loss])).toEqual([
      'reported a state the job never had',
    ]);
  });

  it('may go back for longer while a fault lasts, but not once they claim to be synced again', () => {
    const loss: Disturbance = { kind: 'redis empty', of: 'redis', from: 2_500, to: 2_600, lostWrites: true };
    const more: Disturbance = { kind: 'armada silent', of: 'armada', from: 3_000, to: 30_000 };
    const before = answer('a', 2_100, 'SUCCEEDED');
    const old = answer('a', 40_000, 'RUNNING');
    expect(rulesBroken([RUNS], [before, old], [loss, more])).toEqual([]);
    expect(rulesBroken([RUNS], [before, { ...old, syncedAt: 35_000 }], [loss, more])).toContain(
      'answered from an older cursor (P1)',
    );
  });

  it('violate P7 when they claim to be synced at a time when the job was further', () => {
    const synced = (syncedAt: number): Answer => answer('a', 2_500, 'RUNNING', { syncedAt });
    expect(rulesBroken([RUNS], [synced(1_900)])).toEqual([]);
    expect(rulesBroken([RUNS], [synced(2_400)])).toEqual(['claimed to be synced but was not (P7)']);
  });

  it('are synced without what the event stream did not have then', () => {
    const end = { state: 'SUCCEEDED', at: 2_000, position: 3, messages: 1 } as const;
    const stages = [...RUNS.stages.slice(0, 2), end];
    const synced = answer('a', 2_500, 'RUNNING', { syncedAt: 2_400 });
    expect(rulesBroken([{ ...RUNS, stages }], [synced])).toEqual([]);
    const published = { ...end, publishedAt: 2_200 };
    expect(rulesBroken([{ ...RUNS, stages: [...stages.slice(0, 2), published] }], [synced])).toEqual([
      'claimed to be synced but was not (P7)',
    ]);
  });

  it('may be not-found for a job that Armada does not have, or got a moment ago', () => {
    expect(rulesBroken([RUNS], [answer('x', 5_000, 'not-found'), answer('a', 1_000, 'not-found')])).toEqual(
      [],
    );
    expect(rulesBroken([RUNS], [answer('a', 5_000, 'not-found')])).toEqual([
      'existing job reported as not found (P6)',
    ]);
  });

  it('are never not-found for a young id, which Armada may have without showing it', () => {
    const minted = jobIdFor('a');
    const notFound = (age: number) => answer(minted, mintedAt(minted) + age, 'not-found');
    expect(rulesBroken([], [notFound(BOUNDS.notFoundGrace - 1)])).toEqual([
      'young job reported as not found (P6)',
    ]);
    expect(rulesBroken([], [notFound(BOUNDS.notFoundGrace)])).toEqual([]);
    expect(rulesBroken([], [answer(jobIdFor('b', 'future'), Date.now(), 'not-found')])).toHaveLength(1);
  });

  it('are never not-found after a state was reported', () => {
    expect(rulesBroken([RUNS], [answer('a', 100, 'SUBMITTED'), answer('a', 200, 'not-found')])).toEqual([
      'not found after a state was reported',
    ]);
  });

  it('violate P4 when they lack a terminal state for too long after the last fault', () => {
    const late = answer('a', 2_000 + BOUNDS.untilReported + 1, 'RUNNING');
    expect(rulesBroken([RUNS], [late])).toEqual(['terminal state reported too late (P4)']);
    const disturbance: Disturbance = { kind: 'armada errors', of: 'armada', from: 2_500, to: 4_000 };
    expect(rulesBroken([RUNS], [late], [disturbance])).toEqual([]);
  });

  it('are not judged for a job that Redis lost after Armada had forgotten part of it', () => {
    const forgotten: TrueJob = { ...RUNS, forgottenAt: 3_000 };
    const loss = (to: number): Disturbance => ({
      kind: '',
      of: 'redis',
      from: to - 10,
      to,
      lostWrites: true,
    });
    const answers = [answer('a', 2_500, 'SUCCEEDED'), answer('a', 90_000, 'not-found')];
    const unknown = ['not found after a state was reported', 'terminal state reported too late (P4)'];
    expect(rulesBroken([forgotten], answers, [loss(40_000)])).toEqual([]);
    expect(rulesBroken([forgotten], answers)).toEqual(unknown);
    expect(rulesBroken([forgotten], answers, [loss(2_900)])).toEqual(unknown);
    expect(rulesBroken([RUNS], answers, [loss(40_000)])).toEqual(unknown);
  });

  describe('that hide a known state', () => {
    const hidden = ['outage hid a known state (P5)'];
    const result = (requestedAt: number, reason = 'Redis is unavailable'): Answer =>
      answer('a', requestedAt, '', { result: { kind: 'unavailable', reason } });
    const runs = answer('a', 1_200, 'RUNNING');
    const away = (of: Disturbance['of'], rest: Partial<Disturbance> = {}): Disturbance => ({
      kind: '',
      of,
      from: 1_400,
      to: 1_600,
      ...rest,
    });

    it('are allowed while Redis is unavailable and a moment longer, but not while only Armada is', () => {
      expect(rulesBroken([RUNS], [runs, result(1_500)], [away('redis')])).toEqual([]);
      expect(rulesBroken([RUNS], [runs, result(1_500)], [away('armada')])).toEqual(hidden);
      const back = away('redis').to + BOUNDS.redisBack;
      expect(rulesBroken([RUNS], [runs, result(back)], [away('redis')])).toEqual([]);
      expect(rulesBroken([RUNS], [runs, result(back + 1)], [away('redis')])).toEqual(hidden);
    });

    it('violate P5 for any other reason, even while Redis is unavailable', () => {
      expect(rulesBroken([RUNS], [runs, result(1_500, 'not followed')], [away('redis')])).toEqual(hidden);
    });

    it('are allowed once Redis has lost the state, until an answer shows that it has it again', () => {
      const lost = [away('redis', { lostWrites: true })];
      const unknown = result(9_000, 'not followed yet');
      expect(rulesBroken([RUNS], [runs, unknown], lost)).toEqual([]);
      const again = answer('a', 2_500, 'SUCCEEDED');
      expect(rulesBroken([RUNS], [runs, again, unknown], lost)).toEqual(hidden);
      // A query that has reported the terminal state keeps it in memory.
      const ended = answer('b', 1_200, 'CANCELLED');
      const fromMemory = { ...ended, requestedAt: 2_500, answeredAt: 2_510 };
      const other = job('b', ['CANCELLED']);
      expect(rulesBroken([other], [ended, fromMemory, { ...unknown, jobId: 'b' }], lost)).toEqual([]);
      expect(
        rulesBroken([other], [ended, { ...fromMemory, query: 'q2' }, { ...unknown, jobId: 'b' }], lost),
      ).toEqual(hidden);
    });
  });
});
