import { groupBy } from './group-by.js';
import type { Answer, Trouble } from './history.js';
import { isWordOfEnd } from './words.js';

/**
 * Since when the legacy API, too, may pass on Armada's own word of a job: since `api.Jobs` was asked about it while, as far as answers
 * show, its stream had told nothing of it, or Redis had lost that; or since it told the job's end, where streams may have been refused. A
 * record that was learned so says nothing of the cursor.
 */
export function provisionalSince(
  answers: readonly Answer[],
  troubles: readonly Trouble[],
): Map<string, number> {
  const losses = troubles.filter(({ lostWrites }) => lostWrites === true);
  const refusals = troubles.filter(({ kind }) => kind === 'armada denied').map(({ from }) => from);
  const refusedSince = Math.min(Infinity, ...refusals);
  const since = new Map<string, number>();
  for (const [jobId, ofJob] of groupBy(answers, (answer) => answer.jobId)) {
    const byJobs = ofJob.filter(({ api }) => api === 'jobs');
    const asks = byJobs.map(({ askedAt }) => askedAt);
    const ends = byJobs.filter(
      ({ told, answeredAt }) =>
        told.kind === 'state' && isWordOfEnd(told.word, 'jobs') && answeredAt >= refusedSince,
    );
    const told = ofJob.filter((answer) => answer.api === 'legacy' && answer.told.kind === 'state');
    const learned = asks.filter((at) => {
      const lostAt = Math.max(-Infinity, ...losses.filter(({ from }) => from <= at).map(({ to }) => to));
      return !told.some(({ askedAt, answeredAt }) => askedAt > lostAt && answeredAt < at);
    });
    for (const { askedAt } of ends) learned.push(askedAt);
    if (learned.length > 0) since.set(jobId, Math.min(...learned));
  }
  return since;
}
