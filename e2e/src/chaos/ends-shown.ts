import { isTerminal, apiStateOf } from './api-states.js';
import type { Disturbance, History, TrueJob } from './history.js';

/** Faults during which a change in Redis may not come to a query, or from there to its callers. */
const HOLD_UP: ReadonlySet<Disturbance['of']> = new Set(['redis', 'query', 'machine']);

/** The disturbances of a run that may hold up what Redis has. */
export function holdUps(disturbances: readonly Disturbance[]): Disturbance[] {
  return disturbances.filter(({ of }) => HOLD_UP.has(of)).toSorted((a, b) => a.from - b.from);
}

/** The first moment from `at` on after which there is no disturbance for so many milliseconds. */
export function calmFrom(inOrder: readonly Disturbance[], at: number, ms: number): number {
  let calm = at;
  for (const { from, to } of inOrder) {
    if (from <= calm + ms && to > calm) calm = to;
  }
  return calm;
}

/** When Redis was first shown to have the end of each job, by any caller. `api.Jobs` is left out: its answers may be Armada's own. */
export function endsShown({
  truth,
  answers,
  watches,
}: Pick<History, 'truth' | 'answers' | 'watches'>): ReadonlyMap<string, number> {
  const shown = new Map<string, number>();
  const show = (jobId: string, at: number): void => {
    shown.set(jobId, Math.min(at, shown.get(jobId) ?? Infinity));
  };
  const ends = new Map(
    truth.flatMap((job) => {
      const end = endOf(job);
      return end === undefined ? [] : [[job.jobId, end] as const];
    }),
  );
  for (const { api, jobId, result, answeredAt } of answers) {
    const end = ends.get(jobId);
    if (api !== 'legacy' || end === undefined || result.kind !== 'state') continue;
    if (result.apiState === apiStateOf(end, api)) show(jobId, answeredAt);
  }
  for (const event of watches.flatMap(({ events }) => events)) {
    if (event.kind === 'job' && event.state === ends.get(event.jobId)) show(event.jobId, event.at);
  }
  return shown;
}

function endOf({ stages }: TrueJob): TrueJob['stages'][number]['state'] | undefined {
  const state = stages.at(-1)?.state;
  return state !== undefined && isTerminal(state) ? state : undefined;
}
