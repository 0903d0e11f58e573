import type { JobSetKey } from '@ajs/job-state';
import type { JobSink } from '@ajs/job-store';
import type { Clock } from '@ajs/platform';
import type { Job } from 'bullmq';
import type { AssignmentId } from '../budget/assignment-id.js';
import type { AssignmentQuota, UpstreamQuota, WatchHolder } from '../budget/upstream-quota.js';
import type { BatchPacer } from '../sync/batch-pacer.js';
import type { EventSource } from '../sync/event-source.js';
import { JobSetReflector } from '../sync/job-set-reflector.js';
import type { Reconciler } from '../sync/reconciler.js';
import type { ReflectorOutcome } from '../sync/reflector-state.js';
import type { ReflectorTiming } from '../sync/reflector-timing.js';
import type { StreamFailures } from '../sync/stream-failures.js';
import { AssignmentLease } from './assignment-lease.js';
import type { AssignmentObserver } from './assignment-observer.js';
import type { LeaseTerm } from './leases.js';
import type { Suspendable } from './suspended-assignments.js';
import type { AssignmentData } from './work-queue.js';

export interface AssignmentOptions {
  readonly sink: JobSink;
  readonly source: EventSource;
  readonly quota: UpstreamQuota;
  readonly observer: AssignmentObserver;
  readonly reconciler: Reconciler;
  readonly pacer: BatchPacer;
  readonly timing: ReflectorTiming;
  readonly onError: (error: Error) => void;
  /** For the progress of loops. */
  readonly clock?: Clock;
}

/** Why an assignment ended here: as its reflector says, or since another replica is to go on. */
export type AssignmentEnd = ReflectorOutcome | { readonly kind: 'hand-over' };

/** One job set given to this replica: its reflector, its lease and its part of the quota. */
export class Assignment implements WatchHolder, Suspendable {
  readonly quota: AssignmentQuota;
  readonly reflector: JobSetReflector;
  private readonly key: JobSetKey;
  private readonly lease = new AssignmentLease();
  private running: Promise<void> | undefined;
  private finish: (end: AssignmentEnd) => void = () => {};
  private isStopping = false;
  /** The start of a watch was announced to the observer, and not yet its end. */
  private isWatchAnnounced = false;

  constructor(
    id: AssignmentId,
    private job: Job<AssignmentData, void>,
    failures: StreamFailures,
    private readonly options: AssignmentOptions,
  ) {
    const { queue, jobSetId, watched } = job.data;
    this.key = { queue, jobSetId };
    this.quota = options.quota.quotaOf({
      assignmentId: id,
      key: this.key,
      wasWatched: watched === true,
      holder: this,
    });
    const { sink, source, observer, reconciler, pacer, timing, clock } = options;
    const { key, lease, quota } = this;
    this.reflector = new JobSetReflector({
      key,
      sink,
      source,
      lease,
      observer,
      reconciler,
      pacer,
      timing,
      quota,
      failures,
      ...(clock && { clock }),
    });
  }

  /** Whether it goes on if its lease is given to this replica again. */
  get canResume(): boolean {
    return this.quota.isWatched && !this.lease.isOver;
  }

  /** Follows the job set, or goes on with it, while this term of the lease lasts; resolves when it has to end here. */
  async serve(job: Job<AssignmentData, void>, term: LeaseTerm): Promise<AssignmentEnd> {
    // It was suspended for too long while this term was taken: another assignment is to follow the job set.
    if (this.lease.isOver) return { kind: 'hand-over' };
    const end = new Promise<AssignmentEnd>((resolve) => (this.finish = resolve));
    this.job = job;
    this.lease.begin(term);
    void term.expired.then(() => this.leaseExpired());
    // A watch that was suspended: its job set has lost its owner once more since that was noted.
    if (this.quota.isWatched) this.watchGranted();
    this.running ??= this.run();
    return end;
  }

  /** Another replica is to go on, or the job set is not polled any more. */
  end(end: AssignmentEnd): void {
    this.finish(end);
  }

  /** Writes what was read while the lease lasts; what could not be written is read again by the next owner. */
  async stop(): Promise<void> {
    this.isStopping = true;
    this.reflector.stop();
    if (!this.lease.isHeld()) this.lease.end();
    await this.running;
  }

  /** Closes its streams, gives its watch back, and writes nothing any more. */
  abandon(): void {
    this.reflector.stop();
    this.lease.end();
    // At once: what it waits for before it is over may take long, and the next assignment of its job set has the same id.
    this.quota.release();
  }

  watchGranted(): void {
    this.rememberWatch(true);
    this.announceWatch();
  }

  watchRefused(): void {
    // Whatever its owner before did, it is no more urgent than others from now on.
    if (this.job.data.watched === true) this.rememberWatch(false);
  }

  watchRevoked(reason: string): void {
    this.reflector.closeWatch();
    this.rememberWatch(false);
    this.announceEnd(reason);
  }

  /** Each start that was announced is followed by one end, also where the watch is granted when the assignment has ended already. */
  announceEnd(reason: string): void {
    if (this.isWatchAnnounced || reason === 'done') this.options.observer.watchEnded(this.key, reason);
    this.isWatchAnnounced = false;
  }

  private leaseExpired(): void {
    if (this.isStopping) this.lease.end();
    else this.finish({ kind: 'lease-lost' });
  }

  private announceWatch(): void {
    if (this.isWatchAnnounced) return;
    this.isWatchAnnounced = true;
    this.options.observer.watchStarted(this.key);
  }

  /** Whoever takes the job set over knows whether it is urgent. Without the lease, another owner may have noted its own watch by now. */
  private rememberWatch(watched: boolean): void {
    if (!this.lease.isHeld()) return;
    const timesStalled = this.job.stalledCounter;
    this.job.updateData({ ...this.key, watched, timesStalled }).catch(this.options.onError);
  }

  private async run(): Promise<void> {
    const outcome = await this.reflector.run();
    if (outcome.kind !== 'stopped') this.finish(outcome);
    this.lease.end();
    this.quota.release();
  }
}
