import { groupBy } from './group-by.js';
import type { Answer, Trouble } from './history.js';

/**
 * Since when the legacy API, too, may pass on Armada's own word of a job: since `api.Jobs` was asked about it while, as far as answers
 * show, its stream had told nothing of it, or Redis had lost that. A record that was learned so says nothing of the cursor.
 */
export function learnedSince(answers: readonly Answer[], troubles: readonly Trouble[]): Map<string, number> {
  const losses = troubles.filter(({ lostWrites }) => lostWrites === true);
  const since = new Map<string, number>();
  for (const [jobId, ofJob] of groupBy(answers, (answer) => answer.jobId)) {
    const asks = ofJob.filter(({ api }) => api === 'jobs').map(({ askedAt }) => askedAt);
    const told = ofJob.filter((answer) => answer.api === 'legacy' && answer.told.kind === 'state');
    const learned = asks.filter((at) => {
      const lostAt = Math.max(-Infinity, ...losses.filter(({ from }) => from <= at).map(({ to }) => to));
      return !told.some(({ askedAt, answeredAt }) => askedAt > lostAt && answeredAt < at);
    });
    if (learned.length > 0) since.set(jobId, Math.min(...learned));
  }
  return since;
}
