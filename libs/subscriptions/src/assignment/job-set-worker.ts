import { LRUCache } from 'lru-cache';
import { monotonicNow } from '@ajs/platform';
import { msBetween, type JobSetKey, type MonotonicTime } from '@ajs/job-state';
import { redisErrorKind, type RedisClient } from '@ajs/job-store';
import { DelayedError, Worker, type Job } from 'bullmq';
import { AssignmentId } from '../budget/assignment-id.js';
import type { WatchBudget } from '../budget/watch-budget.js';
import { BatchPacer } from '../sync/batch-pacer.js';
import { StreamFailures } from '../sync/stream-failures.js';
import { Assignment, type AssignmentEnd, type AssignmentOptions } from './assignment.js';
import { DeadOwners } from './dead-owners.js';
import { FailedAssignments, type FailureCause } from './failed-assignments.js';
import { LEASE_MS, Leases } from './leases.js';
import { byRedisTime } from './redis-time.js';
import { retryInfo } from './retry-info.js';
import { SuspendedAssignments } from './suspended-assignments.js';
import { reportingBackend } from './worker-backend.js';
import { WorkerPause } from './worker-pause.js';
import { WorkerSupervisor } from './worker-supervisor.js';
import { WORK_QUEUE, assignmentIdOf, type AssignmentData } from './work-queue.js';

/** With 0 a worker would take its own assignment again before it has let go of it. */
const HAND_OVER_MS = 100;
/** A replica with its full share puts an assignment back for this long, and as much again at most. */
const PUT_BACK_MS = 200;
const STALLED_CHECK_MS = 500;
/** After an error of Redis or of its connection; BullMQ's own default would sleep for 15 s. */
const RETRY_MS = 500;
/** Assignments at once beside those that watch: they read, or wait for their place. A worker that is full takes over nothing. */
const MAX_READING = 1_000;
/** A poll that requested a read this long ago does not wait any more. */
const READ_REQUEST_TTL_MS = 5_000;
/** Job sets whose stream failures, and read requests, are remembered. */
const REMEMBERED = 20_000;

export interface JobSetWorkerOptions extends Omit<AssignmentOptions, 'pacer'> {
  /** A client of its own with role `work-queue`. */
  readonly connection: RedisClient;
  readonly watches: WatchBudget;
  /** Watches at once, over all replicas. */
  readonly watchBudget: number;
  /** How often a watch is looked at again: does it go on here, go elsewhere, or end? Milliseconds. */
  readonly rebalanceIntervalMs: number;
  /** No assignments are taken any more, and nothing in this process changes that. Called once. */
  readonly onEnded: (error: Error) => void;
}

/**
 * The assignments of this replica: takes them from the work queue, follows their job sets for as long as they may be watched or for one
 * read, and gives them back.
 */
export class JobSetWorker {
  /** From before the lease of each is taken until nothing of it runs any more. */
  private readonly assignments = new Map<AssignmentId, Assignment>();
  private readonly suspended = new SuspendedAssignments<Assignment>();
  private readonly failed = new FailedAssignments();
  private readonly pacer = new BatchPacer();
  private readonly streamFailures = new LRUCache<AssignmentId, StreamFailures>({ max: REMEMBERED });
  private readonly readRequestedAt = new LRUCache<AssignmentId, MonotonicTime>({ max: REMEMBERED });
  private readonly leases: Leases;
  private readonly deadOwners: DeadOwners;
  private readonly worker: Worker<AssignmentData, void>;
  private readonly pause: WorkerPause;
  private readonly supervisor: WorkerSupervisor;
  private isStopping = false;

  constructor(private readonly options: JobSetWorkerOptions) {
    this.supervisor = new WorkerSupervisor(options);
    this.worker = new Worker<AssignmentData, void>(
      WORK_QUEUE,
      (job, token) => this.process(job, token ?? ''),
      {
        connection: retryInfo(byRedisTime(options.connection), options.onError),
        prefix: options.connection.ownKeys.workQueuePrefix,
        // Fixed, since a worker does not notice when it grows: one replica can hold all watches.
        concurrency: options.watchBudget + MAX_READING,
        lockDuration: LEASE_MS,
        skipLockRenewal: true,
        stalledInterval: STALLED_CHECK_MS,
        // A crash of its owner, however often, must not lose a job set its assignment.
        maxStalledCount: Number.MAX_SAFE_INTEGER,
        runRetryDelay: RETRY_MS,
        // By the worker, since a job of which Redis lost all but its place has no options of its own.
        removeOnComplete: { count: 0 },
        removeOnFail: { count: 0 },
        drainDelay: 1,
        autorun: false,
      },
      reportingBackend(this.supervisor.loops),
    );
    this.deadOwners = new DeadOwners(options.connection, options.onError);
    const { fetching, stalledCheck } = this.supervisor.loops;
    this.worker.on('error', (error) => {
      fetching.failed(error);
      stalledCheck.failed(error);
      options.onError(error);
    });
    this.pause = new WorkerPause(this.worker, RETRY_MS);
    this.leases = new Leases(
      (ids, tokens, durationMs) => this.worker.extendJobLocks(ids, tokens, durationMs),
      options.onError,
    );
  }

  /** How many job sets are assigned to this replica now. */
  get size(): number {
    return this.assignments.size;
  }

  /** Whom the leases of this replica belong to, for {@link showConnected}. */
  get owner(): string {
    return this.worker.id;
  }

  /** What goes on in the background, by name. */
  get loops(): Readonly<Record<string, () => string | undefined>> {
    const { fetching, stalledCheck } = this.supervisor.loops;
    return {
      assignmentFetch: () => fetching.standstill,
      stalledCheck: () => stalledCheck.standstill,
      leaseRenewal: () => this.leases.progress.standstill,
      watchBudget: () => this.options.watches.progress.standstill,
      subscriptions: () => this.subscriptionStandstill(),
    };
  }

  start(): void {
    this.options.watches.start();
    this.supervisor.start(this.worker);
    this.deadOwners.start();
  }

  /** A poll waits to know whether a job of this job set exists. */
  requestRead(key: JobSetKey): void {
    const id = assignmentIdOf(key);
    this.readRequestedAt.set(id, monotonicNow());
    this.assignments.get(id)?.reflector.requestRead();
  }

  /** Redis was unavailable and is back, perhaps with less than it had: every owner finds out now. */
  heartbeat(): void {
    for (const { reflector } of this.assignments.values()) reflector.heartbeat();
  }

  /** Writes what was read, hands every job set over, and takes no more. */
  async stop(): Promise<void> {
    this.isStopping = true;
    this.pause.stop();
    this.supervisor.stop();
    this.deadOwners.stop();
    await Promise.all([this.options.watches.startLeaving(), this.worker.pause(true)]);
    for (const assignment of this.assignments.values()) assignment.end({ kind: 'hand-over' });
    this.suspended.abandonAll();
    await this.worker.close();
    this.leases.close();
    await this.options.watches.leave();
  }

  private async process(job: Job<AssignmentData, void>, token: string): Promise<void> {
    const id = AssignmentId(job.id ?? '');
    // Redis lost what the job held, and not its place: its job set is not known. The sweep adds it again.
    if ((job.data as Partial<AssignmentData>).queue === undefined) return;
    const delayMs = await this.admissionDelay(id, job);
    if (delayMs !== undefined || this.assignments.has(id)) {
      return this.requeue(job, token, delayMs ?? HAND_OVER_MS);
    }
    const assignment = this.resumable(id) ?? this.create(id, job);
    this.assignments.set(id, assignment);
    const end = await this.serve(id, assignment, job, token).finally(() => this.assignments.delete(id));
    return this.giveBack(id, end, job, token);
  }

  /** After how many milliseconds an assignment is to be tried again that is not served here and now. */
  private async admissionDelay(id: AssignmentId, job: Job<AssignmentData>): Promise<number | undefined> {
    if (this.isStopping) return HAND_OVER_MS;
    const retryInMs = this.failed.retryIn(id);
    if (retryInMs !== undefined) return retryInMs;
    if (this.isReadRequested(id) || hasLostItsOwner(job)) return undefined;
    const { data, attemptsStarted } = job;
    const { watches, quota } = this.options;
    if (await watches.confirmAboveShare()) return PUT_BACK_MS + Math.random() * PUT_BACK_MS;
    if (data.watched === true) return undefined;
    return quota.admissionDelay(this.size - watches.size, attemptsStarted <= 1);
  }

  /** The assignment whose lease ran out here, if its streams are still open. It stays suspended until the lease is taken again. */
  private resumable(id: AssignmentId): Assignment | undefined {
    const assignment = this.suspended.peek(id);
    return assignment?.canResume === true ? assignment : undefined;
  }

  private create(id: AssignmentId, job: Job<AssignmentData, void>): Assignment {
    const failures = this.streamFailures.get(id) ?? new StreamFailures(this.options.timing);
    this.streamFailures.set(id, failures);
    return new Assignment(id, job, failures, { ...this.options, pacer: this.pacer });
  }

  private async serve(
    id: AssignmentId,
    assignment: Assignment,
    job: Job<AssignmentData, void>,
    token: string,
  ): Promise<AssignmentEnd> {
    const { rebalanceIntervalMs, onError } = this.options;
    const term = await this.leases.take(id, token).catch((error: unknown) => {
      onError(error as Error);
      return undefined;
    });
    if (term === undefined) return { kind: 'lease-lost' };
    const suspended = this.suspended.take(id);
    if (suspended !== assignment) suspended?.abandon();
    const rebalancing = setInterval(() => void this.rebalance(assignment), rebalanceIntervalMs);
    try {
      const ended = assignment.serve(job, term);
      if (this.isStopping) assignment.end({ kind: 'hand-over' });
      if (this.isReadRequested(id)) assignment.reflector.requestRead();
      this.readRequestedAt.delete(id);
      const end = await ended;
      if (end.kind === 'lease-lost' && assignment.canResume && !this.isStopping) {
        this.suspended.keep(id, assignment);
      } else await assignment.stop();
      assignment.announceEnd(end.kind);
      return end;
    } finally {
      clearInterval(rebalancing);
      this.leases.giveBack(id);
      if (this.streamFailures.get(id)?.isOver === true) this.streamFailures.delete(id);
    }
  }

  /** A rebalance interval is over: the watch goes on in place unless the job set is not polled any more, or another replica has fewer. */
  private async rebalance(assignment: Assignment): Promise<void> {
    const { quota, reflector } = assignment;
    if (!quota.isWatched) return;
    if (this.options.watches.isAboveShare()) {
      assignment.end({ kind: 'hand-over' });
      return;
    }
    try {
      if (!(await quota.isWanted(reflector.unfinished))) assignment.end({ kind: 'done' });
    } catch (error) {
      this.options.onError(error as Error);
    }
  }

  private subscriptionStandstill(): string | undefined {
    const standstills = Array.from(
      this.assignments.values(),
      ({ reflector }) => reflector.progress.standstill,
    ).filter((standstill) => standstill !== undefined);
    // The one that was assigned first comes first. No names: who may read this need not know any job set.
    return standstills[0] && `${standstills.length} of ${this.size}: ${standstills[0]}`;
  }

  private isReadRequested(id: AssignmentId): boolean {
    const requestedAt = this.readRequestedAt.get(id);
    return requestedAt !== undefined && msBetween(requestedAt, monotonicNow()) < READ_REQUEST_TTL_MS;
  }

  private async giveBack(
    id: AssignmentId,
    end: AssignmentEnd,
    job: Job<AssignmentData, void>,
    token: string,
  ): Promise<void> {
    if (end.kind === 'unreadable' || end.kind === 'failed') {
      const { retryInMs, inARow } = this.failed.add(id, causeOf(end));
      const { observer } = this.options;
      if (end.kind === 'failed') observer.assignmentFailed(keyOf(job), end.error, retryInMs, inARow);
      else observer.unreadable(keyOf(job), end.error, retryInMs, inARow);
      return this.requeue(job, token, retryInMs);
    }
    // Without its lease the BullMQ job is no longer ours to move: BullMQ gives it to whoever finds that it has stalled.
    if (end.kind === 'lease-lost') throw new DelayedError();
    this.failed.delete(id);
    if (end.kind === 'done') return;
    return this.requeue(job, token, end.kind === 'read-later' ? end.inMs : HAND_OVER_MS);
  }

  private async requeue(job: Job<AssignmentData, void>, token: string, delayMs: number): Promise<never> {
    const inMs = Math.max(HAND_OVER_MS, Math.round(delayMs));
    // BullMQ makes it milliseconds from now again, and Redis' time of that.
    await job.moveToDelayed(Date.now() + inMs, token).catch(this.options.onError);
    throw new DelayedError();
  }
}

/** Its watch broke off: it is read at once by any replica. Whether one that has its share may watch it is decided after that. */
function hasLostItsOwner({ data, stalledCounter }: Job<AssignmentData>): boolean {
  return data.watched === true && stalledCounter > (data.timesStalled ?? 0);
}

function causeOf({ kind, error }: Extract<AssignmentEnd, { kind: 'unreadable' | 'failed' }>): FailureCause {
  return kind === 'failed' && redisErrorKind(error) === 'denied' ? 'denied' : kind;
}

function keyOf({ data }: Job<AssignmentData, void>): JobSetKey {
  return { queue: data.queue, jobSetId: data.jobSetId };
}
