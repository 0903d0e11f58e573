import { FakeArmada, jobEvents } from '@ajs/testing';
import { ENDS_AFTER_MS, QUEUE, RUNS_AFTER_MS, type Schedule, jobOf, jobSetOf } from './schedule.js';

const TICK_MS = 10;
const JOB = { namespace: 'default', annotations: {} };

/** How many jobs of a job set are past each step. */
interface Progress {
  submitted: number;
  running: number;
  ended: number;
}

/** A fake Armada whose jobs follow the schedule. Prints where it listens, and the number of events so far. */
export async function runArmada(schedule: Schedule): Promise<void> {
  const armada = new FakeArmada();
  armada.state.queues.add(QUEUE);
  const progress = new Map<number, Progress>();
  let events = 0;
  const live = (): void => {
    const now = Date.now();
    const [first, end] = schedule.jobSets(now);
    for (let set = first; set < end; set++) {
      const before = progress.get(set) ?? { submitted: 0, running: 0, ended: 0 };
      const { queue, jobSetId } = jobSetOf(set);
      const log = armada.state.openLog(queue, jobSetId);
      const ref = (job: number) => ({ queue, jobSetId, jobId: jobOf(set, job) });
      const after = {
        submitted: schedule.submitted(set, now),
        running: schedule.submitted(set, now, RUNS_AFTER_MS),
        ended: schedule.submitted(set, now, ENDS_AFTER_MS),
      };
      for (let job = before.submitted; job < after.submitted; job++)
        log.append(jobEvents.submitted(ref(job), JOB));
      for (let job = before.running; job < after.running; job++) {
        const one = ref(job);
        log.append([
          ...jobEvents.leased(one),
          ...jobEvents.pending(one, JOB),
          ...jobEvents.running(one, JOB),
        ]);
      }
      for (let job = before.ended; job < after.ended; job++) log.append(jobEvents.succeeded(ref(job)));
      events += 2 * (after.submitted - before.submitted);
      events += 3 * (after.running - before.running) + after.ended - before.ended;
      progress.set(set, after);
    }
    for (const set of progress.keys()) {
      if (set >= first) break;
      const { queue, jobSetId } = jobSetOf(set);
      const log = armada.state.openLog(queue, jobSetId);
      log.forgetOldest(log.length);
      progress.delete(set);
    }
  };
  const listening = await armada.listen('127.0.0.1:0');
  setInterval(live, TICK_MS);
  setInterval(() => print('events', { events, streams: armada.events.streams }), 1_000);
  print('listening', { listening });
}

/** Prints a line as an application logs it. */
export function print(msg: string, what: object): void {
  process.stdout.write(`${JSON.stringify({ level: 'info', msg, ...what })}\n`);
}
