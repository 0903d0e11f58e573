import type { Answer, Comparison, Finding, JobRef, Standing } from './comparison.js';

/** Lines of the summary that each name a job. */
const MOST_NAMED = 50;

/** A finding as a line for a terminal. */
export function findingLine({ kind, ref, old, new: now, forMs }: Finding, at: Date): string {
  const since = new Date(at.getTime() - forMs).toISOString();
  const verb = kind === 'differ' ? 'differs' : 'agrees again';
  return `${at.toISOString()}  ${nameOf(ref)} ${verb}: old ${answerText(old)}, new ${answerText(now)}, since ${since}`;
}

const TEXTS: Readonly<Record<Standing, string>> = {
  'ended alike': 'ended alike',
  agree: 'agree and have not ended',
  unsure: 'differ, but not for long enough to count',
  differ: 'differed for longer than is tolerated',
  'not compared': 'could not be compared: neither side knew a state',
};

/** What was found, for people, and whether the two sides are alike. */
export function summary(
  comparison: Comparison,
  refs: readonly JobRef[],
  polls: number,
): { readonly text: string; readonly areAlike: boolean } {
  const standings = comparison.standings(refs);
  const lines = [`${refs.length} jobs, ${polls} polls of each side`];
  for (const [standing, text] of Object.entries(TEXTS)) {
    const count = standings.get(standing as Standing);
    if (count !== undefined) lines.push(`${String(count).padStart(8)} ${text}`);
  }
  const { differences } = comparison;
  for (const { ref, old, new: now, forMs } of differences.slice(0, MOST_NAMED)) {
    const seconds = Math.round(forMs / 1_000);
    lines.push(`differs  ${nameOf(ref)}: old ${answerText(old)}, new ${answerText(now)}, for ${seconds} s`);
  }
  if (differences.length > MOST_NAMED) lines.push(`and ${differences.length - MOST_NAMED} more`);
  const areAlike = refs.length > 0 && !standings.has('differ') && !standings.has('not compared');
  return { text: lines.join('\n'), areAlike };
}

/** Names and errors are of others: in quotes, so that nothing in them moves the cursor of a terminal. */
function nameOf({ queue, jobSetId, jobId }: JobRef): string {
  return `${JSON.stringify(queue)} ${JSON.stringify(jobSetId)} ${JSON.stringify(jobId)}`;
}

function answerText({ state, text }: Answer): string {
  if (state === undefined) return `no state (${JSON.stringify(text)})`;
  return text === '' ? state : `${state} (${JSON.stringify(text)})`;
}
