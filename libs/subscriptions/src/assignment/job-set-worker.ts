import { LRUCache } from 'lru-cache';
import type { JobSetKey } from '@ajs/job-state';
import type { JobSink, RedisClient } from '@ajs/job-store';
import { WORK_QUEUE_PREFIX } from '@ajs/redis-keys';
import { DelayedError, Worker, type Job } from 'bullmq';
import type { EventSource } from '../sync/event-source.js';
import type { ReflectorObserver } from '../sync/reflector-observer.js';
import { JobSetReflector, type ReflectorTiming, type ReflectorOutcome } from '../sync/job-set-reflector.js';
import { LeaseLostError } from '../sync/lease.js';
import { AssignmentLease } from './assignment-lease.js';
import { LEASE_MS, Leases } from './leases.js';
import type { UpstreamQuota, AssignmentQuota } from '../budget/upstream-quota.js';
import type { Reconciler } from '../sync/reconciler.js';
import { SuspendedAssignments } from './suspended-assignments.js';
import { StreamFailures } from '../sync/stream-failures.js';
import type { WatchBudget } from '../budget/watch-budget.js';
import { WorkerPause } from './worker-pause.js';
import { WORK_QUEUE, assignmentIdOf, type AssignmentData } from './work-queue.js';

/** With 0 a worker would take its own turn again before it has let go of it. */
const HAND_OVER_MS = 100;
/** A turn that a replica with its full share fetched goes back for so long, and as much again at the most. */
const PUT_BACK_MS = 200;
const STALLED_CHECK_MS = 500;
/** After an error of Redis or of its connection; BullMQ's own default would sleep for 15 s. */
const RETRY_MS = 500;
/** Turns at once, beside those that watch: they read, or wait a moment for their place. A worker that is full takes over nothing. */
const MOST_READING = 1_000;
/** A poll that asked so long ago does not wait any more. */
const ASKED_FOR_MS = 5_000;
/** Job sets whose failures, and asks, are remembered. */
const REMEMBERED = 20_000;

export interface JobSetWorkerOptions {
  /** A client of its own with role `work-queue`. */
  readonly connection: RedisClient;
  readonly sink: JobSink;
  readonly source: EventSource;
  readonly watches: WatchBudget;
  /** Watches at once, over all replicas. */
  readonly watchBudget: number;
  readonly quota: UpstreamQuota;
  readonly observer: ReflectorObserver;
  readonly reconciler: Reconciler;
  readonly timing: ReflectorTiming;
  /** A watch is looked at again after this time: does it go on here, go elsewhere, or end? Milliseconds. */
  readonly rebalanceIntervalMs: number;
  readonly onError: (error: Error) => void;
}

interface Assignment {
  readonly follower: JobSetReflector;
  readonly plan: AssignmentQuota;
  readonly lease: AssignmentLease;
  /** It was told that the job set is watched, and not yet that it is not any more. */
  isTold: boolean;
  /** Resolves when nothing of it runs any more. */
  readonly run: Promise<void>;
  /** Ends the turn here: all of it, or with `lost` its lease only. */
  end: (why: Ending) => void;
  giveUp: () => void;
}

/** What {@link ReflectorOutcome} says; or `hand-over`: another replica is to go on; or `lost`: the lease ran out. */
type Ending = Exclude<ReflectorOutcome, 'stopped'> | 'hand-over' | 'lost';

/**
 * The turns of this replica: takes them from the work queue, follows their job sets for as long as they may be watched or for one
 * read, and gives them back.
 */
export class JobSetWorker {
  private readonly running = new Map<string, Assignment>();
  private readonly suspended = new SuspendedAssignments<Assignment>();
  private readonly troubles = new LRUCache<string, StreamFailures>({ max: REMEMBERED });
  private readonly askedAt = new LRUCache<string, number>({ max: REMEMBERED });
  private readonly leases: Leases;
  private readonly worker: Worker<AssignmentData, void>;
  private readonly rest: WorkerPause;
  /** Turns that have begun and not ended, from before their lease is taken. */
  private readonly taken = new Set<string>();
  private stopping = false;

  constructor(private readonly options: JobSetWorkerOptions) {
    this.worker = new Worker<AssignmentData, void>(
      WORK_QUEUE,
      (job, token) => this.process(job, token ?? ''),
      {
        connection: options.connection,
        prefix: WORK_QUEUE_PREFIX,
        // Fixed, since a worker does not notice when it grows: one replica can hold all watches.
        concurrency: options.watchBudget + MOST_READING,
        lockDuration: LEASE_MS,
        skipLockRenewal: true,
        stalledInterval: STALLED_CHECK_MS,
        // A crash of its holder, however often, must not lose a job set its turn.
        maxStalledCount: Number.MAX_SAFE_INTEGER,
        runRetryDelay: RETRY_MS,
        // By the worker, since a job of which Redis lost all but its place has no options of its own.
        removeOnComplete: { count: 0 },
        removeOnFail: { count: 0 },
        drainDelay: 1,
        autorun: false,
      },
    );
    this.worker.on('error', options.onError);
    this.rest = new WorkerPause(this.worker, RETRY_MS);
    this.leases = new Leases(
      (turnIds, tokens, durationMs) => this.worker.extendJobLocks(turnIds, tokens, durationMs),
      options.onError,
    );
  }

  /** How many turns run here now. */
  get size(): number {
    return this.running.size;
  }

  start(): void {
    this.options.watches.start();
    this.worker.run().catch(this.options.onError);
  }

  /** A poll waits to know whether a job of this job set exists. */
  requestRead(key: JobSetKey): void {
    const turnId = assignmentIdOf(key);
    this.askedAt.set(turnId, performance.now());
    this.running.get(turnId)?.follower.requestRead();
  }

  /** Redis was away and is back, perhaps with less than it had: every holder finds out now. */
  heartbeat(): void {
    for (const { follower } of this.running.values()) follower.heartbeat();
  }

  /** Writes what was read, hands every job set over, and takes no more. */
  async stop(): Promise<void> {
    this.stopping = true;
    this.rest.stop();
    await Promise.all([this.options.watches.startLeaving(), this.worker.pause(true)]);
    for (const turn of this.running.values()) turn.end('hand-over');
    this.suspended.giveUpAll();
    await this.worker.close();
    this.leases.close();
    await this.options.watches.leave();
  }

  private async process(job: Job<AssignmentData, void>, token: string): Promise<void> {
    const turnId = job.id ?? '';
    // Redis lost what it held, and not its place: nobody can tell whose turn it was. The sweep makes it anew.
    if ((job.data as Partial<AssignmentData>).queue === undefined) return;
    const postponedBy = await this.postponedBy(turnId, job);
    if (postponedBy !== undefined || this.taken.has(turnId)) {
      return this.giveBack(job, token, postponedBy ?? HAND_OVER_MS);
    }
    this.taken.add(turnId);
    const ending = await this.follow(turnId, job, token).finally(() => this.taken.delete(turnId));
    if (ending === 'done') return;
    // Without its lease the job is no longer ours to move: BullMQ gives it to whoever finds that it has stalled.
    if (ending === 'lost') throw new DelayedError();
    return this.giveBack(job, token, ending === 'hand-over' ? HAND_OVER_MS : ending.readInMs);
  }

  /** After how many milliseconds a turn is to begin that does not begin here and now. */
  private async postponedBy(
    turnId: string,
    { data, attemptsStarted }: Job<AssignmentData>,
  ): Promise<number | undefined> {
    if (this.stopping) return HAND_OVER_MS;
    if (this.isAsked(turnId)) return undefined;
    const { watches, quota: planner } = this.options;
    if (await watches.confirmAboveShare()) return PUT_BACK_MS + Math.random() * PUT_BACK_MS;
    if (data.watched === true) return undefined;
    return planner.admissionDelay(this.taken.size - watches.size, attemptsStarted <= 1);
  }

  private async follow(turnId: string, job: Job<AssignmentData, void>, token: string): Promise<Ending> {
    let end: (why: Ending) => void = () => {};
    const ended = new Promise<Ending>((resolve) => (end = resolve));
    let lost = (): void => end('lost');
    const term = await this.leases
      .take(turnId, token, () => lost())
      .catch((error: unknown) => {
        this.options.onError(error as Error);
        return undefined;
      });
    if (term === undefined) return 'lost';
    if (await this.options.quota.isForgotten(keyOf(job)).catch(() => false)) {
      this.leases.giveBack(turnId);
      return 'done';
    }
    const suspended = this.suspended.take(turnId);
    const turn = suspended ?? this.begin(turnId, job);
    if (suspended?.plan.isWatched === true) this.tellWatched(turn, keyOf(job));
    turn.end = end;
    turn.lease.begin(term);
    this.running.set(turnId, turn);
    if (this.stopping) end('hand-over');
    if (this.isAsked(turnId)) turn.follower.requestRead();
    this.askedAt.delete(turnId);
    const slices = setInterval(() => void this.nextSlice(turn), this.options.rebalanceIntervalMs);
    try {
      const why = await ended;
      if (why === 'lost' && turn.plan.isWatched && !turn.lease.isOver && !this.stopping) {
        this.suspended.keep(turnId, turn);
      } else {
        turn.follower.stop();
        // What could not be written by then is read again by whoever is next.
        lost = () => turn.lease.end();
        if (!turn.lease.isHeld()) lost();
        await turn.run;
      }
      this.tellEnded(turn, keyOf(job), typeof why === 'string' ? why : 'it is read on a schedule');
      return why;
    } finally {
      clearInterval(slices);
      this.running.delete(turnId);
      this.leases.giveBack(turnId);
    }
  }

  private begin(turnId: string, job: Job<AssignmentData, void>): Assignment {
    const key = keyOf(job);
    const { sink, source, observer, reconciler, timing, quota: planner, onError } = this.options;
    const lease = new AssignmentLease();
    const trouble = this.troubles.get(turnId) ?? new StreamFailures(timing);
    const plan = planner.quotaOf({
      assignmentId: turnId,
      key,
      wasWatched: job.data.watched === true,
      // Whoever takes the turn over knows whether it hurries.
      onWatchGranted: () => {
        void job.updateData({ ...key, watched: true }).catch(onError);
        this.tellWatched(turn, key);
      },
      onWatchRevoked: (why) => {
        follower.closeWatch();
        void job.updateData({ ...key, watched: false }).catch(onError);
        this.tellEnded(turn, key, why);
      },
    });
    const follower = new JobSetReflector({
      key,
      sink,
      source,
      lease,
      observer,
      reconciler,
      timing,
      quota: plan,
      failures: trouble,
    });
    const run = follower
      .run()
      .then(
        (outcome) => outcome !== 'stopped' && turn.end(outcome),
        (error: unknown) => {
          if (!(error instanceof LeaseLostError)) onError(error as Error);
          lease.end();
          turn.end('lost');
        },
      )
      .finally(() => {
        this.suspended.take(turnId);
        plan.release();
        if (trouble.isOver) this.troubles.delete(turnId);
        else this.troubles.set(turnId, trouble);
      })
      .then(() => undefined);
    const giveUp = (): void => {
      follower.stop();
      lease.end();
    };
    const turn: Assignment = { follower, plan, lease, isTold: false, run, giveUp, end: () => {} };
    return turn;
  }

  /** Each beginning that is told has its end, also where the watch is given to a turn that is over already. */
  private tellWatched(turn: Assignment, key: JobSetKey): void {
    if (turn.isTold) return;
    turn.isTold = true;
    this.options.observer.watchStarted(key);
  }

  private tellEnded(turn: Assignment, key: JobSetKey, why: string): void {
    if (turn.isTold || why === 'done') this.options.observer.watchEnded(key, why);
    turn.isTold = false;
  }

  /** A slice of a watch is over: it goes on in place unless nobody asks any more, or another replica has fewer. */
  private async nextSlice({ plan, follower, end }: Assignment): Promise<void> {
    if (!plan.isWatched) return;
    if (this.options.watches.isAboveShare()) {
      end('hand-over');
      return;
    }
    try {
      if (!(await plan.isWanted(follower.unfinished))) end('done');
    } catch (error) {
      this.options.onError(error as Error);
    }
  }

  private isAsked(turnId: string): boolean {
    return performance.now() - (this.askedAt.get(turnId) ?? -Infinity) < ASKED_FOR_MS;
  }

  private async giveBack(job: Job<AssignmentData, void>, token: string, delayMs: number): Promise<never> {
    const inMs = Math.max(HAND_OVER_MS, Math.round(delayMs));
    await job.moveToDelayed(Date.now() + inMs, token).catch(this.options.onError);
    throw new DelayedError();
  }
}

function keyOf({ data }: Job<AssignmentData, void>): JobSetKey {
  return { queue: data.queue, jobSetId: data.jobSetId };
}
