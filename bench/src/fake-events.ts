import { FakeArmada, jobEvents } from '@ajs/testing';
import { jobIdOf } from './jobs.js';

const JOB = { namespace: 'default', annotations: {} };
/** For a job that has ended. */
export const EVENTS_PER_JOB = 6;
export const QUEUE = 'bench';

export interface FakeEvents {
  readonly jobSets: number;
  /** Per job set. */
  readonly jobs: number;
  /** How many jobs of each job set are still running, the first ones; the others have succeeded. */
  readonly running: number;
}

/** The key of the n-th job set. */
export const jobSetOf = (set: number): { queue: string; jobSetId: string } => ({
  queue: QUEUE,
  jobSetId: `set-${set}`,
});

/** Serves pre-encoded events from a fake Armada. Prints {"listening": "host:port"}. */
export async function runFakeEvents({ jobSets, jobs, running }: FakeEvents): Promise<void> {
  const armada = new FakeArmada();
  for (let set = 0; set < jobSets; set++) {
    const key = jobSetOf(set);
    const log = armada.state.openLog(key.queue, key.jobSetId);
    const refs = Array.from({ length: jobs }, (_, n) => ({ ...key, jobId: jobIdOf(set * jobs + n) }));
    for (const ref of refs) log.append(jobEvents.submitted(ref, JOB));
    for (const ref of refs)
      log.append([...jobEvents.leased(ref), ...jobEvents.pending(ref, JOB), ...jobEvents.running(ref, JOB)]);
    for (const ref of refs.slice(running)) log.append(jobEvents.succeeded(ref));
  }
  console.log(JSON.stringify({ listening: await armada.listen('127.0.0.1:0') }));
}
