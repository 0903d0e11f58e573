import { FakeArmada, jobEvents } from '@ajs/testing';
import { jobIdOf } from './jobs.js';

const JOB = { namespace: 'default', annotations: {} };
export const EVENTS_PER_JOB = 6;
export const QUEUE = 'bench';

/** Job sets whose jobs have all run and succeeded, served by a fake Armada. Prints {"listening": "host:port"}. */
export async function runFakeEvents(jobSets: number, jobs: number): Promise<void> {
  const armada = new FakeArmada();
  for (let set = 0; set < jobSets; set++) {
    const jobSetId = `set-${set}`;
    const log = armada.state.openLog(QUEUE, jobSetId);
    const refs = Array.from({ length: jobs }, (_, n) => ({
      queue: QUEUE,
      jobSetId,
      jobId: jobIdOf(set * jobs + n),
    }));
    for (const ref of refs) log.append(jobEvents.submitted(ref, JOB));
    for (const ref of refs)
      log.append([...jobEvents.leased(ref), ...jobEvents.pending(ref, JOB), ...jobEvents.running(ref, JOB)]);
    for (const ref of refs) log.append(jobEvents.succeeded(ref));
  }
  console.log(JSON.stringify({ listening: await armada.listen('127.0.0.1:0') }));
}
