// Shadow mode: polls an old and a new job service side by side and prints where they differ.
import { runCommand } from '@ajs/config';
import { msBetween, type MonotonicTime } from '@ajs/job-state';
import { monotonicNow } from '@ajs/platform';
import { HELP, MOST_JOBS, readArguments, type ComparedJobs } from './arguments.js';
import { compare } from './compare.js';
import { Comparison, type JobRef } from './comparison.js';
import { findingLine, summary } from './report.js';
import { Side } from './side.js';

const LIST_EVERY_MS = 5_000;

await runCommand(HELP, run);

async function run(): Promise<number> {
  const given = readArguments(process.argv.slice(2), process.env);
  if (given === undefined) {
    console.log(HELP);
    return 0;
  }
  const [old, now] = [new Side(given.old), new Side(given.new)];
  const comparison = new Comparison(given.toleranceMs);
  const stopped = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopped.abort());
  const { refs, polls } = await compare(
    {
      comparison,
      old,
      new: now,
      jobs: listOf(given.jobs, now),
      perSecond: given.perSecond,
      onFinding: (finding) => console.log(findingLine(finding, new Date())),
    },
    AbortSignal.any([stopped.signal, AbortSignal.timeout(given.forMs)]),
  );
  for (const side of [old, now]) side.close();
  const { text, areAlike } = summary(comparison, refs, polls);
  console.log(text);
  return areAlike ? 0 : 1;
}

/** The jobs of each round. Job sets that cannot be listed now stay as they were, with a line that says why. */
function listOf(jobs: ComparedJobs, side: Side): () => Promise<readonly JobRef[]> {
  if ('refs' in jobs) return () => Promise.resolve(jobs.refs);
  const { queue, jobSetIds } = jobs;
  const lists = new Map<string, readonly JobRef[]>();
  let listedAt: MonotonicTime | undefined;
  let lastProblem = '';
  return async () => {
    const refs = (): readonly JobRef[] => Array.from(lists.values()).flat().slice(0, MOST_JOBS);
    if (listedAt !== undefined && msBetween(listedAt, monotonicNow()) < LIST_EVERY_MS) return refs();
    listedAt = monotonicNow();
    for (const jobSetId of jobSetIds) {
      try {
        lists.set(jobSetId, await side.jobsOf({ queue, jobSetId }, MOST_JOBS));
      } catch (error) {
        const { message } = error as Error;
        if (message !== lastProblem) console.error(message);
        lastProblem = message;
      }
    }
    return refs();
  };
}
