import { IS_TERMINAL } from './record-layout.js';

/*
 * How many jobs of a job set are in each state, as scripts/writing.lua keeps it in meta: `KIND=JOBS,…`, where a kind is the
 * number of the state with the terminal flag, as the first byte of a record has them. So the jobs that have not ended can be
 * counted also where a newer version has states that this one does not know.
 */

/** By kind. */
export function parseStateCounts(text: string): Map<number, number> {
  const counts = new Map<number, number>();
  for (const [, kind, jobs] of text.matchAll(/(\d+)=(\d+)/g)) counts.set(Number(kind), Number(jobs));
  return counts;
}

/** How many jobs have not ended. */
export function unfinishedIn(counts: ReadonlyMap<number, number>): number {
  let unfinished = 0;
  for (const [kind, jobs] of counts) if (kind < IS_TERMINAL) unfinished += jobs;
  return unfinished;
}
