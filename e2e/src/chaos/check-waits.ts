import { allowancesOf, isOlderAllowed } from './allowances.js';
import { isTerminalName } from './api-states.js';
import type { Bounds } from './bounds.js';
import { calmFrom, endsShown, holdUps } from './ends-shown.js';
import type { History, Violation, Wait } from './history.js';

/** A query that stops answers waits with what it has, for as long as its shutdown takes. */
const STOPS_FOR_MS = 5_000;

/** The violations in the answers of WaitForJobs: each comes when its condition holds, or when its time is over. */
export function checkWaits(history: History, bounds: Bounds): Violation[] {
  const { truth, waits, disturbances } = history;
  const jobs = new Map(truth.map((job) => [job.jobId, job]));
  const shown = endsShown(history);
  const allowances = allowancesOf(disturbances, bounds);
  const inOrder = holdUps(disturbances);
  return waits.flatMap((wait) => {
    const { jobIds, count, states, requestedAt, answeredAt, satisfied, reported } = wait;
    const hasCome = (state: string): boolean => states.includes(state) || isTerminalName(state);
    const came = jobIds.filter((jobId) => {
      const stages = jobs.get(jobId)?.stages ?? [];
      return stages.some(({ state, at }) => at <= answeredAt && hasCome(state));
    });
    if (satisfied && came.length < count) {
      return [
        violation('wait satisfied without its condition', wait, `only ${came.length} have come so far`),
      ];
    }
    const reportedToCome = Object.values(reported).filter(hasCome).length;
    if (!satisfied && reportedToCome >= count) {
      return [violation('wait not satisfied by what it reports', wait, `${reportedToCome} have come so far`)];
    }
    const isStopping = disturbances.some(
      ({ of, from, to }) => of === 'query' && from <= answeredAt && answeredAt <= to + STOPS_FOR_MS,
    );
    const waitedMs = Math.round(answeredAt - requestedAt);
    if (!satisfied && !isStopping && waitedMs < wait.maxWaitMs - bounds.clocks) {
      return [violation('wait given up before its time', wait, `after ${waitedMs} ms`)];
    }
    // All jobs that are waited for have come once they have ended.
    const ends = jobIds.map((jobId) => shown.get(jobId) ?? Infinity).sort((a, b) => a - b);
    const heldAt = Math.max(ends[count - 1] ?? Infinity, requestedAt);
    if (isOlderAllowed(allowances, heldAt, answeredAt)) return [];
    const lateMs = Math.round(answeredAt - calmFrom(inOrder, heldAt, bounds.untilReceived));
    if (lateMs <= bounds.untilReceived) return [];
    return [violation('wait not woken in time', wait, `${lateMs} ms after Redis had ${count} ends`)];
  });
}

function violation(rule: string, wait: Wait, why: string): Violation {
  const { query, key, jobIds, count, states, satisfied, requestedAt } = wait;
  const when = new Date(requestedAt).toISOString().slice(11, 23);
  const goal = `${count} of ${jobIds.join(', ')} to be ${states.join(' or ') || 'terminal'}`;
  const answer = satisfied ? 'satisfied' : 'not satisfied';
  return { rule, what: `${when} ${query} waits in ${key.jobSetId} for ${goal}: ${answer}, ${why}` };
}
