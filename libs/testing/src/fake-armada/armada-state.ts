import type { EventMessage } from '@ajs/contracts/api/event';
import type { JobState } from '@ajs/contracts/api/submit';
import type { EventIngester } from './event-ingester.js';
import { EventLog } from './event-log.js';
import { applyEvent, type ArmadaJob } from './armada-job.js';
import type { JobRef } from './job-events.js';
import { Lookout } from './lookout.js';
import { Queues } from './queues.js';

/** The state of a fake Armada: its queues, the events of their job sets, and its jobs. */
export class ArmadaState {
  readonly queues = new Queues();
  readonly jobs = new Map<string, ArmadaJob>();
  readonly lookout: Lookout;
  private readonly logs = new Map<string, EventLog>();

  constructor(
    private readonly eventIngester: EventIngester,
    lookoutLagMs: () => number,
  ) {
    this.lookout = new Lookout(this.jobs, lookoutLagMs);
  }

  /** The events of a job set; `undefined` where it has none. */
  log(queue: string, jobSetId: string): EventLog | undefined {
    return this.logs.get(JSON.stringify([queue, jobSetId]));
  }

  /** As {@link log}; creates the log and its queue where they are missing. */
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

  /** Moves a job to a state: {@link accept}s its events, and changes what `api.Jobs` returns. */
  move(job: ArmadaJob, state: JobState, events: readonly EventMessage[], error = job.error): void {
    this.lookout.changing(job.jobId);
    this.jobs.set(job.jobId, job);
    job.state = state;
    job.error = error;
    for (const event of events) applyEvent(job, event);
    this.accept(job, events);
  }

  /** Accepts events as one entry, to be published later. */
  accept({ queue, jobSetId }: Pick<JobRef, 'queue' | 'jobSetId'>, events: readonly EventMessage[]): void {
    this.eventIngester.accept(this.openLog(queue, jobSetId), events);
  }
}
