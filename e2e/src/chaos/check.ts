import { BOUNDS, type Bounds } from './bounds.js';
import { checkAnswers } from './check-answers.js';
import { checkWaits } from './check-waits.js';
import { checkWatches } from './check-watches.js';
import { checkWrites } from './check-writes.js';
import type { History, ProcessHistory, Violation } from './history.js';
import { isLost } from './lost-jobs.js';
import { receivedAnswers } from './received-answers.js';
import { isTerminal, apiStateOf } from './api-states.js';

/** No process needs more. */
const MOST_RSS_BYTES = 400 * 2 ** 20;
/** A watch whose permit went to another replica is closed by then. */
const HANDED_OVER_WITHIN_MS = 1_000;
/** What an ingester logs when the script refused a write that would have broken P1. */
const P1_KEPT = 'refused to change the state of terminal jobs; kept the first state';

/** The invariants that a run violated. Pure: a history in, violations out. */
export function check(history: History, bounds: Bounds = BOUNDS): Violation[] {
  const answers = [...history.answers, ...receivedAnswers(history)];
  return [
    ...checkAnswers({ ...history, answers }, bounds),
    ...checkWatches(history, bounds),
    ...checkWaits(history, bounds),
    ...checkWrites(history.writes),
    ...checkEnds(history),
    ...checkUnpolled(history),
    ...checkExcesses(history),
    ...history.processes.flatMap(checkProcess),
  ];
}

/** The last answer about each job that has ended is its terminal state. */
function checkEnds({ truth, answers, disturbances }: History): Violation[] {
  const last = new Map<string, string>();
  for (const { jobId, result, api } of answers) {
    if (api === 'legacy') last.set(jobId, result.kind === 'state' ? result.apiState : result.kind);
  }
  return truth.flatMap((job) => {
    const { jobId, key, stages } = job;
    const state = stages.at(-1)?.state;
    if (isLost(job, disturbances)) return [];
    const result = last.get(jobId) ?? 'no answer';
    if (state === undefined || !isTerminal(state) || result === apiStateOf(state, 'legacy')) return [];
    const what = `job ${jobId} in ${key.jobSetId}: ${result}, and it is ${state}`;
    return [{ rule: 'terminal state never reported (P4)', what }];
  });
}

/** A job set that was polled once reaches its terminal states in Redis without further polls, even if its assignment was lost. */
function checkUnpolled({ truth, unpolled }: History): Violation[] {
  const jobs = new Map(truth.map((job) => [job.jobId, job.stages.at(-1)?.state]));
  return unpolled.flatMap(({ key, jobId, state }) => {
    const is = jobs.get(jobId);
    if (is === undefined || !isTerminal(is) || state === is) return [];
    const what = `job ${jobId} in ${key.jobSetId}: ${state ?? 'nothing'} in Redis, and it is ${is}`;
    return [{ rule: 'terminal state not in Redis without a poll (P4)', what }];
  });
}

/** More watches than the budget for longer than a hand-over takes. */
function checkExcesses({ excesses, disturbances }: History): Violation[] {
  return excesses.flatMap(({ from, to, most, allowed }) => {
    if (to - from <= HANDED_OVER_WITHIN_MS) return [];
    // Armada does not see a watch end that is cut off from it, and permits that Redis lost are given out again.
    const isExcused = disturbances.some(
      (disturbance) =>
        (disturbance.of === 'armada' || disturbance.of === 'redis') &&
        disturbance.from <= to &&
        from <= disturbance.to + HANDED_OVER_WITHIN_MS,
    );
    if (isExcused) return [];
    const when = new Date(from).toISOString().slice(11, 23);
    const what = `${when}: ${most} of at most ${allowed}, for ${Math.round(to - from)} ms`;
    return [{ rule: 'more watches at Armada than the budget allows', what }];
  });
}

function checkProcess({ name, lines, largestRssBytes, unexpectedExit }: ProcessHistory): Violation[] {
  const violations: Violation[] = [];
  const assignments = new Set<unknown>();
  for (const { msg, jobSetId } of lines) {
    if (msg === 'following a job set') {
      if (assignments.has(jobSetId))
        violations.push({
          rule: 'two assignments of one job set at once',
          what: `${name}: ${String(jobSetId)}`,
        });
      assignments.add(jobSetId);
    }
    if (msg === 'stopped following a job set') assignments.delete(jobSetId);
    if (msg === P1_KEPT) violations.push({ rule: 'terminal state would have changed (P1)', what: name });
  }
  if (largestRssBytes > MOST_RSS_BYTES) {
    const what = `${name}: ${Math.round(largestRssBytes / 2 ** 20)} MB`;
    violations.push({ rule: 'memory above the limit', what });
  }
  if (unexpectedExit !== undefined)
    violations.push({ rule: 'process exited unexpectedly', what: `${name}: ${unexpectedExit}` });
  return violations;
}
