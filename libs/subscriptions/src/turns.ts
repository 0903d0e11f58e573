import type { JobSetKey } from '@ajs/job-state';
import type { JobSink, RedisClient } from '@ajs/job-store';
import { WORK_QUEUE_PREFIX } from '@ajs/redis-keys';
import { DelayedError, Worker, type Job } from 'bullmq';
import type { Demand } from './demand.js';
import type { EventSource } from './event-source.js';
import type { FollowObserver } from './follow-observer.js';
import { Follower, type FollowTiming } from './follower.js';
import { LeaseLostError, TurnLease } from './lease.js';
import { LEASE_MS, Leases } from './leases.js';
import { isWanted, type Lifetime } from './lifetime.js';
import type { Reconciler } from './reconciler.js';
import type { Replicas } from './replicas.js';
import { SuspendedTurns } from './suspended-turns.js';
import { WORK_QUEUE, turnIdOf, type TurnData } from './work-queue.js';

/** With 0 a worker would take its own turn again before it has let go of it. */
const HAND_OVER_MS = 100;
/** A turn that a replica with its full share fetched goes back for so long, and as much again at the most. */
const PUT_BACK_MS = 200;
const STALLED_CHECK_MS = 1_000;
/** After an error of Redis; BullMQ's own default would sleep for 15 s. */
const RETRY_MS = 500;

export interface TurnsOptions {
  /** A client of its own with role `work-queue`. */
  readonly connection: RedisClient;
  readonly sink: JobSink;
  readonly source: EventSource;
  readonly demand: Demand;
  readonly replicas: (held: () => number) => Replicas;
  readonly observer: FollowObserver;
  readonly reconciler: Reconciler;
  readonly lifetime: Lifetime;
  readonly timing: FollowTiming;
  /** A turn is looked at again after this time: does it go on here, go elsewhere, or end? Milliseconds. */
  readonly sliceMs: number;
  /** How many job sets this replica can follow at once. Fixed: a worker does not notice when it grows. */
  readonly maxTurns: number;
  readonly onError: (error: Error) => void;
}

interface Turn {
  readonly follower: Follower;
  readonly lease: TurnLease;
  /** Resolves when nothing of it runs any more. */
  readonly run: Promise<void>;
  /** Ends the turn here: all of it, or with `lost` its lease only. */
  end: (why: Ending) => void;
  giveUp: () => void;
}

/** `done`: nobody asks any more. `hand-over`: another replica is to go on. `lost`: the lease ran out. */
type Ending = 'done' | 'hand-over' | 'lost';

/**
 * The turns of this replica: takes them from the work queue, follows their job sets slice by slice while nobody needs the
 * place, and gives them back.
 */
export class Turns {
  private readonly running = new Map<string, Turn>();
  private readonly suspended = new SuspendedTurns<Turn>();
  private readonly leases: Leases;
  private readonly replicas: Replicas;
  private readonly worker: Worker<TurnData, void>;
  private stopping = false;

  constructor(private readonly options: TurnsOptions) {
    this.worker = new Worker<TurnData, void>(WORK_QUEUE, (job, token) => this.process(job, token ?? ''), {
      connection: options.connection,
      prefix: WORK_QUEUE_PREFIX,
      concurrency: options.maxTurns,
      lockDuration: LEASE_MS,
      skipLockRenewal: true,
      stalledInterval: STALLED_CHECK_MS,
      // A crash of its holder, however often, must not lose a job set its turn.
      maxStalledCount: Number.MAX_SAFE_INTEGER,
      runRetryDelay: RETRY_MS,
      drainDelay: 1,
      autorun: false,
    });
    this.worker.on('error', options.onError);
    this.leases = new Leases(
      (turnIds, tokens, durationMs) => this.worker.extendJobLocks(turnIds, tokens, durationMs),
      options.onError,
    );
    this.replicas = options.replicas(() => this.running.size);
  }

  /** How many job sets are followed here now. */
  get size(): number {
    return this.running.size;
  }

  start(): void {
    this.worker.run().catch(this.options.onError);
  }

  /** A poll waits to know whether a job of this job set exists. */
  ask(key: JobSetKey): void {
    this.running.get(turnIdOf(key))?.follower.ask();
  }

  /** Redis was away and is back, perhaps with less than it had: every holder finds out now. */
  contact(): void {
    for (const { follower } of this.running.values()) follower.contact();
  }

  /** Writes what was read, hands every job set over, and takes no more. */
  async stop(): Promise<void> {
    this.stopping = true;
    await this.worker.pause(true);
    for (const turn of this.running.values()) turn.end('hand-over');
    this.suspended.giveUpAll();
    await this.worker.close();
    this.leases.close();
    await this.replicas.leave();
  }

  private async process(job: Job<TurnData, void>, token: string): Promise<void> {
    const turnId = job.id ?? '';
    const key: JobSetKey = { queue: job.data.queue, jobSetId: job.data.jobSetId };
    if (this.stopping || this.running.has(turnId)) return this.giveBack(job, token, HAND_OVER_MS);
    if (this.replicas.aboveShare()) {
      return this.giveBack(job, token, PUT_BACK_MS + Math.random() * PUT_BACK_MS);
    }
    const ending = await this.follow(turnId, key, token);
    if (ending === 'done') return;
    // Without its lease the job is no longer ours to move: BullMQ gives it to whoever finds that it has stalled.
    if (ending === 'lost') throw new DelayedError();
    return this.giveBack(job, token, HAND_OVER_MS);
  }

  private async follow(turnId: string, key: JobSetKey, token: string): Promise<Ending> {
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
    const turn = this.suspended.take(turnId) ?? this.begin(key);
    turn.end = end;
    turn.lease.begin(term);
    this.running.set(turnId, turn);
    if (this.stopping) end('hand-over');
    const { observer, sliceMs } = this.options;
    observer.turnStarted(key);
    const slices = setInterval(() => void this.nextSlice(key, turn.follower, end), sliceMs);
    try {
      const why = await ended;
      if (why === 'lost' && !turn.lease.isOver && !this.stopping) {
        this.suspended.keep(turnId, turn);
      } else {
        turn.follower.stop();
        // What could not be written by then is read again by whoever is next.
        lost = () => turn.lease.end();
        if (!turn.lease.isHeld()) lost();
        await turn.run;
      }
      observer.turnEnded(key, why);
      return why;
    } finally {
      clearInterval(slices);
      this.running.delete(turnId);
      this.leases.giveBack(turnId);
    }
  }

  private begin(key: JobSetKey): Turn {
    const { sink, source, observer, reconciler, timing } = this.options;
    const lease = new TurnLease();
    const follower = new Follower({ key, sink, source, lease, observer, reconciler, timing });
    const run = follower.run().catch((error: unknown) => {
      if (!(error instanceof LeaseLostError)) this.options.onError(error as Error);
      lease.end();
      turn.end('lost');
    });
    const giveUp = (): void => {
      follower.stop();
      lease.end();
    };
    const turn: Turn = { follower, lease, run, giveUp, end: () => {} };
    return turn;
  }

  /** A slice is over: the turn goes on in place unless nobody asks any more, or another replica has fewer. */
  private async nextSlice(key: JobSetKey, follower: Follower, end: (why: Ending) => void): Promise<void> {
    if (this.replicas.aboveShare()) return end('hand-over');
    try {
      const age = await this.options.demand.age(key);
      if (!isWanted(this.options.lifetime, age, follower.unfinished)) end('done');
    } catch (error) {
      this.options.onError(error as Error);
    }
  }

  private async giveBack(job: Job<TurnData, void>, token: string, delayMs: number): Promise<never> {
    await job.moveToDelayed(Date.now() + delayMs, token).catch(this.options.onError);
    throw new DelayedError();
  }
}
