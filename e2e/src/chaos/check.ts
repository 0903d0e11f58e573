import { BOUNDS, checkAnswers, type Bounds } from './check-answers.js';
import { checkWrites } from './check-writes.js';
import type { History, ProcessHistory, Violation } from './history.js';
import { isLost } from './lost-jobs.js';
import { isEnd, wordOf } from './words.js';

/** More is not bounded. */
const MOST_RSS_BYTES = 400 * 2 ** 20;
/** A watch that another replica may have is closed by then. */
const HANDED_OVER_WITHIN_MS = 1_000;
/** What an ingester logs when it would have broken P1, and the script did not let it. */
const P1_KEPT = 'ended jobs would have changed their state: they were kept as they were';

/** Whether a run kept the promises: everything that it broke, in words. Pure: a history in, violations out. */
export function check(history: History, bounds: Bounds = BOUNDS): Violation[] {
  return [
    ...checkAnswers(history, bounds),
    ...checkWrites(history.writes),
    ...checkEnds(history),
    ...checkUnpolled(history),
    ...checkWatches(history),
    ...history.processes.flatMap(checkProcess),
  ];
}

/** Every end of the truth is the last answer that was given of its job. */
function checkEnds({ truth, answers, troubles }: History): Violation[] {
  const last = new Map<string, string>();
  for (const { jobId, told, api } of answers) {
    if (api === 'legacy') last.set(jobId, told.kind === 'state' ? told.word : told.kind);
  }
  return truth.flatMap((job) => {
    const { jobId, key, stages } = job;
    const state = stages.at(-1)?.state;
    if (isLost(job, troubles)) return [];
    const told = last.get(jobId) ?? 'no answer';
    if (state === undefined || !isEnd(state) || told === wordOf(state, 'legacy')) return [];
    const what = `job ${jobId} in ${key.jobSetId}: ${told}, and it is ${state}`;
    return [{ rule: 'ends that were never told (P4)', what }];
  });
}

/** What somebody once asked about is followed on, though nobody asks and its turn was lost. */
function checkUnpolled({ truth, unpolled }: History): Violation[] {
  const jobs = new Map(truth.map((job) => [job.jobId, job.stages.at(-1)?.state]));
  return unpolled.flatMap(({ key, jobId, state }) => {
    const is = jobs.get(jobId);
    if (is === undefined || !isEnd(is) || state === is) return [];
    const what = `job ${jobId} in ${key.jobSetId}: ${state ?? 'nothing'} in Redis, and it is ${is}`;
    return [{ rule: 'ends that nobody noticed until somebody asked (P4)', what }];
  });
}

/** Watches that are more than the budget for longer than it takes to hand them over. */
function checkWatches({ excesses, troubles }: History): Violation[] {
  return excesses.flatMap(({ from, to, most, allowed }) => {
    if (to - from <= HANDED_OVER_WITHIN_MS) return [];
    // Armada does not see the end of what is cut off from it, and what Redis has lost is told it anew.
    const isExcused = troubles.some(
      (trouble) =>
        (trouble.of === 'armada' || trouble.of === 'redis') &&
        trouble.from <= to &&
        from <= trouble.to + HANDED_OVER_WITHIN_MS,
    );
    if (isExcused) return [];
    const when = new Date(from).toISOString().slice(11, 23);
    const what = `${when}: ${most} of at most ${allowed}, for ${Math.round(to - from)} ms`;
    return [{ rule: 'more watches at Armada than the budget', what }];
  });
}

function checkProcess({ name, lines, largestRssBytes, unexpectedExit }: ProcessHistory): Violation[] {
  const violations: Violation[] = [];
  const turns = new Set<unknown>();
  for (const { msg, jobSetId } of lines) {
    if (msg === 'following a job set') {
      if (turns.has(jobSetId))
        violations.push({ rule: 'two turns of a job set at once', what: `${name}: ${String(jobSetId)}` });
      turns.add(jobSetId);
    }
    if (msg === 'stopped following a job set') turns.delete(jobSetId);
    if (msg === P1_KEPT) violations.push({ rule: 'an ended job would have changed (P1)', what: name });
  }
  if (largestRssBytes > MOST_RSS_BYTES) {
    const what = `${name}: ${Math.round(largestRssBytes / 2 ** 20)} MB`;
    violations.push({ rule: 'memory that is not bounded', what });
  }
  if (unexpectedExit !== undefined)
    violations.push({ rule: 'a process that ended by itself', what: `${name}: ${unexpectedExit}` });
  return violations;
}
