import { groupBy } from './group-by.js';
import type { Answer, Disturbance } from './history.js';
import { isTerminalApiState } from './api-states.js';

/**
 * Since when a job's record may be provisional, so that legacy answers too may pass on what Armada's own `api.Jobs` reported: since a
 * request of `api.Jobs` that came before any answer from its stream (or after Redis had lost that), or since `api.Jobs` reported its
 * terminal state, where streams may have been denied. A provisional record says nothing about the cursor.
 */
export function provisionalSince(
  answers: readonly Answer[],
  disturbances: readonly Disturbance[],
): Map<string, number> {
  const losses = disturbances.filter(({ lostWrites }) => lostWrites === true);
  const refusals = disturbances.filter(({ kind }) => kind === 'armada denied').map(({ from }) => from);
  const refusedSince = Math.min(Infinity, ...refusals);
  const since = new Map<string, number>();
  for (const [jobId, ofJob] of groupBy(answers, (answer) => answer.jobId)) {
    const byJobs = ofJob.filter(({ api }) => api === 'jobs');
    const requests = byJobs.map(({ requestedAt }) => requestedAt);
    const ends = byJobs.filter(
      ({ result, answeredAt }) =>
        result.kind === 'state' && isTerminalApiState(result.apiState, 'jobs') && answeredAt >= refusedSince,
    );
    const result = ofJob.filter((answer) => answer.api === 'legacy' && answer.result.kind === 'state');
    const provisionalAt = requests.filter((at) => {
      const lostAt = Math.max(-Infinity, ...losses.filter(({ from }) => from <= at).map(({ to }) => to));
      return !result.some(({ requestedAt, answeredAt }) => requestedAt > lostAt && answeredAt < at);
    });
    for (const { requestedAt } of ends) provisionalAt.push(requestedAt);
    if (provisionalAt.length > 0) since.set(jobId, Math.min(...provisionalAt));
  }
  return since;
}
