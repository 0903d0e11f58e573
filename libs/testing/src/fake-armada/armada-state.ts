import { type JobState } from '@ajs/contracts/api/submit';
import type { EventMessage } from '@ajs/contracts/api/event';
import { EventLog } from './event-log.js';

/** A job as this server knows it. */
export interface KnownJob {
  readonly jobId: string;
  readonly queue: string;
  readonly jobSetId: string;
  state: JobState;
  error: string;
}

/** Everything a fake Armada remembers: its queues, the events of their job sets, and its jobs. */
export class ArmadaState {
  readonly queues = new Set<string>();
  readonly jobs = new Map<string, KnownJob>();
  private readonly logs = new Map<string, EventLog>();

  /** The events of a job set; `undefined` where nothing ever happened in it. */
  log(queue: string, jobSetId: string): EventLog | undefined {
    return this.logs.get(JSON.stringify([queue, jobSetId]));
  }

  /** As {@link log}, begun where there is none; its queue comes to be with it. */
  openLog(queue: string, jobSetId: string): EventLog {
    const name = JSON.stringify([queue, jobSetId]);
    let log = this.logs.get(name);
    if (log === undefined) {
      this.queues.add(queue);
      log = new EventLog();
      this.logs.set(name, log);
    }
    return log;
  }

  /** Something happens to a job: its events, kept together, and the state that `api.Jobs` tells from now on. */
  move(job: KnownJob, state: JobState, events: readonly EventMessage[], error = job.error): void {
    this.jobs.set(job.jobId, job);
    job.state = state;
    job.error = error;
    this.openLog(job.queue, job.jobSetId).append(events);
  }
}
