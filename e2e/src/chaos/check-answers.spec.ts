import type { JobState } from '@ajs/job-state';
import { BOUNDS, checkAnswers } from './check-answers.js';
import { EMPTY_HISTORY } from './empty-history.js';
import type { Answer, Stage, Trouble, TrueJob } from './history.js';

const KEY = { queue: 'q', jobSetId: 's' };

/** A job whose n-th stage began n seconds after time began, with a message of its own unless told otherwise. */
function job(jobId: string, states: readonly JobState[], first = 1): TrueJob {
  const stages = states.map((state, i): Stage => ({ state, at: i * 1_000, position: first + i }));
  return { key: KEY, jobId, stages };
}

function answer(jobId: string, askedAt: number, word: string, rest: Partial<Answer> = {}): Answer {
  const told: Answer['told'] = word === 'not-found' ? { kind: word } : { kind: 'state', word };
  return { api: 'legacy', query: 'q1', key: KEY, jobId, askedAt, answeredAt: askedAt + 10, told, ...rest };
}

function rulesBroken(
  truth: readonly TrueJob[],
  answers: readonly Answer[],
  troubles: readonly Trouble[] = [],
): string[] {
  return checkAnswers({ ...EMPTY_HISTORY, truth, answers, troubles }).map(({ rule }) => rule);
}

const RUNS = job('a', ['QUEUED', 'RUNNING', 'SUCCEEDED']);

describe('answers', () => {
  it('that follow the truth, behind it by a moment, are right', () => {
    const answers = [
      answer('a', 500, 'SUBMITTED'),
      answer('a', 1_100, 'SUBMITTED'),
      answer('a', 1_200, 'RUNNING'),
      answer('a', 2_100, 'SUCCEEDED'),
      answer('a', 9_000, 'SUCCEEDED'),
    ];
    expect(rulesBroken([RUNS], answers)).toEqual([]);
  });

  it('that the truth never had are found, and those that it had only later', () => {
    expect(rulesBroken([RUNS], [answer('a', 2_500, 'FAILED')])).toEqual(['answers that the truth never had']);
    expect(rulesBroken([RUNS], [answer('a', 500, 'SUCCEEDED')])).toEqual([
      'answers that the truth never had',
    ]);
  });

  it('that change an end are found', () => {
    const answers = [
      answer('a', 2_100, 'SUCCEEDED', { api: 'jobs' }),
      answer('a', 2_200, 'RUNNING', { api: 'jobs' }),
    ];
    expect(rulesBroken([RUNS], answers)).toEqual(['ended jobs that changed (P1)']);
  });

  it('that go back are found, though it may be of another job and by another query', () => {
    const other = job('b', ['QUEUED', 'RUNNING'], 10);
    // To tell that b runs, message 11 must have been applied, and a ended with message 3.
    const answers = [answer('b', 2_500, 'RUNNING'), answer('a', 2_600, 'RUNNING', { query: 'q2' })];
    expect(rulesBroken([RUNS, other], answers)).toEqual(['answers from an older cursor (P1)']);
  });

  it('of a job that was learned from Armada say nothing of the cursor', () => {
    const other = job('b', ['QUEUED', 'CANCELLED'], 10);
    const behind = [answer('b', 2_500, 'CANCELLED'), answer('a', 2_600, 'RUNNING')];
    const ask = (askedAt: number): Answer => answer('b', askedAt, 'CANCELLED', { api: 'jobs' });
    const older = ['answers from an older cursor (P1)'];
    expect(rulesBroken([RUNS, other], [ask(2_400), ...behind])).toEqual([]);
    expect(rulesBroken([RUNS, other], [ask(2_550), ...behind])).toEqual(older);
    // The stream had shown the job before api.Jobs was asked: then nothing was learned, unless Redis had lost it meanwhile.
    const known = [answer('b', 500, 'SUBMITTED'), ask(2_400), ...behind];
    expect(rulesBroken([RUNS, other], known)).toEqual(older);
    const loss: Trouble = { kind: '', of: 'redis', from: 600, to: 610, lostWrites: true };
    expect(rulesBroken([RUNS, other], known, [loss])).toEqual([]);
  });

  it('of a job whose end Armada told while its stream was refused say nothing of the cursor', () => {
    const other = job('b', ['QUEUED', 'CANCELLED'], 2);
    const [before, end] = [answer('b', 500, 'SUBMITTED'), answer('b', 2_400, 'CANCELLED', { api: 'jobs' })];
    const behind = [before, end, answer('b', 2_500, 'CANCELLED'), answer('a', 2_600, 'RUNNING')];
    const refused = (from: number): Trouble => ({ kind: 'armada denied', of: 'armada', from, to: from + 10 });
    expect(rulesBroken([RUNS, other], behind, [refused(2_300)])).toEqual([]);
    expect(rulesBroken([RUNS, other], behind, [refused(2_700)])).toEqual([
      'answers from an older cursor (P1)',
    ]);
  });

  it('that were asked for before the newer answer came may be older', () => {
    const answers = [answer('a', 2_100, 'SUCCEEDED'), answer('a', 2_105, 'RUNNING', { answeredAt: 2_200 })];
    expect(rulesBroken([RUNS], answers)).toEqual([]);
  });

  it('of a job that runs again are no step back', () => {
    const retried = job('a', ['QUEUED', 'RUNNING', 'QUEUED', 'RUNNING']);
    const answers = [
      answer('a', 1_100, 'RUNNING'),
      answer('a', 2_100, 'SUBMITTED'),
      answer('a', 3_100, 'RUNNING'),
    ];
    expect(rulesBroken([retried], answers)).toEqual([]);
  });

  it('may go back for a bounded time after Redis lost writes, and never to another end', () => {
    const loss: Trouble = { kind: 'redis older', of: 'redis', from: 2_500, to: 2_600, lostWrites: true };
    const before = answer('a', 2_100, 'SUCCEEDED');
    expect(rulesBroken([RUNS], [before, answer('a', 2_700, 'RUNNING')], [loss])).toEqual([]);
    const afterwards = loss.to + BOUNDS.olderAfterLoss + 1;
    expect(rulesBroken([RUNS], [before, answer('a', afterwards, 'RUNNING')], [loss])).toEqual([
      'ended jobs that changed (P1)',
      'answers from an older cursor (P1)',
    ]);
    expect(rulesBroken([RUNS], [before, answer('a', 2_700, 'FAILED')], [loss])).toEqual([
      'answers that the truth never had',
    ]);
  });

  it('may go back longer while trouble lasts, and not once they claim to be level again', () => {
    const loss: Trouble = { kind: 'redis empty', of: 'redis', from: 2_500, to: 2_600, lostWrites: true };
    const more: Trouble = { kind: 'armada silent', of: 'armada', from: 3_000, to: 30_000 };
    const before = answer('a', 2_100, 'SUCCEEDED');
    const old = answer('a', 40_000, 'RUNNING');
    expect(rulesBroken([RUNS], [before, old], [loss, more])).toEqual([]);
    expect(rulesBroken([RUNS], [before, { ...old, levelAt: 35_000 }], [loss, more])).toContain(
      'answers from an older cursor (P1)',
    );
  });

  it('that claim to be level with a moment when the job was further are found', () => {
    const level = (levelAt: number): Answer => answer('a', 2_500, 'RUNNING', { levelAt });
    expect(rulesBroken([RUNS], [level(1_900)])).toEqual([]);
    expect(rulesBroken([RUNS], [level(2_400)])).toEqual(['answers that claim to be level and are not (P7)']);
  });

  it('not-found is right of a job that Armada does not have, or has just got', () => {
    expect(rulesBroken([RUNS], [answer('x', 5_000, 'not-found'), answer('a', 1_000, 'not-found')])).toEqual(
      [],
    );
    expect(rulesBroken([RUNS], [answer('a', 5_000, 'not-found')])).toEqual([
      'not found, of jobs that exist (P6)',
    ]);
  });

  it('not-found is never right of a job of which a state was told', () => {
    expect(rulesBroken([RUNS], [answer('a', 100, 'SUBMITTED'), answer('a', 200, 'not-found')])).toEqual([
      'not found after a state had been told',
    ]);
  });

  it('that lack an end for too long are found; the time counts from the last trouble', () => {
    const late = answer('a', 2_000 + BOUNDS.untilTold + 1, 'RUNNING');
    expect(rulesBroken([RUNS], [late])).toEqual(['ends that were told too late (P4)']);
    const trouble: Trouble = { kind: 'armada errors', of: 'armada', from: 2_500, to: 4_000 };
    expect(rulesBroken([RUNS], [late], [trouble])).toEqual([]);
  });

  it('are not judged where Redis lost a job of which Armada has forgotten something, and only there', () => {
    const forgotten: TrueJob = { ...RUNS, forgottenAt: 3_000 };
    const loss = (to: number): Trouble => ({ kind: '', of: 'redis', from: to - 10, to, lostWrites: true });
    const answers = [answer('a', 2_500, 'SUCCEEDED'), answer('a', 90_000, 'not-found')];
    const unknown = ['not found after a state had been told', 'ends that were told too late (P4)'];
    expect(rulesBroken([forgotten], answers, [loss(40_000)])).toEqual([]);
    expect(rulesBroken([forgotten], answers)).toEqual(unknown);
    expect(rulesBroken([forgotten], answers, [loss(2_900)])).toEqual(unknown);
    expect(rulesBroken([RUNS], answers, [loss(40_000)])).toEqual(unknown);
  });

  describe('that hide a known state', () => {
    const hidden = ['known states that trouble hid (P5)'];
    const told = (askedAt: number, reason = 'Redis does not answer'): Answer =>
      answer('a', askedAt, '', { told: { kind: 'trouble', reason } });
    const runs = answer('a', 1_200, 'RUNNING');
    const away = (of: Trouble['of'], rest: Partial<Trouble> = {}): Trouble => ({
      kind: '',
      of,
      from: 1_400,
      to: 1_600,
      ...rest,
    });

    it('are right while Redis is away and for a moment after it, and not while Armada is', () => {
      expect(rulesBroken([RUNS], [runs, told(1_500)], [away('redis')])).toEqual([]);
      expect(rulesBroken([RUNS], [runs, told(1_500)], [away('armada')])).toEqual(hidden);
      const back = away('redis').to + BOUNDS.redisBack;
      expect(rulesBroken([RUNS], [runs, told(back)], [away('redis')])).toEqual([]);
      expect(rulesBroken([RUNS], [runs, told(back + 1)], [away('redis')])).toEqual(hidden);
    });

    it('are wrong for any other reason, whoever is away', () => {
      expect(rulesBroken([RUNS], [runs, told(1_500, 'not followed')], [away('redis')])).toEqual(hidden);
    });

    it('are right when Redis has lost it, until it is told from there again', () => {
      const lost = [away('redis', { lostWrites: true })];
      const unknown = told(9_000, 'not followed yet');
      expect(rulesBroken([RUNS], [runs, unknown], lost)).toEqual([]);
      const again = answer('a', 2_500, 'SUCCEEDED');
      expect(rulesBroken([RUNS], [runs, again, unknown], lost)).toEqual(hidden);
      // A query that has told the end knows it without Redis.
      const ended = answer('b', 1_200, 'CANCELLED');
      const fromMemory = { ...ended, askedAt: 2_500, answeredAt: 2_510 };
      const other = job('b', ['CANCELLED']);
      expect(rulesBroken([other], [ended, fromMemory, { ...unknown, jobId: 'b' }], lost)).toEqual([]);
      expect(
        rulesBroken([other], [ended, { ...fromMemory, query: 'q2' }, { ...unknown, jobId: 'b' }], lost),
      ).toEqual(hidden);
    });
  });
});
