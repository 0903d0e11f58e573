import {
  addMs,
  messageTime,
  msBetween,
  parseMessageId,
  type ArmadaTime,
  type JobSetKey,
  type JobId,
  type MonotonicTime,
} from '@ajs/job-state';
import type { JobSetWriter } from '@ajs/job-store';
import { monotonicNow } from '@ajs/platform';
import type { BatchWriter } from './batch-writer.js';
import { NoApiJobsError, type TerminalStateSource } from './terminal-state-source.js';

/** A job set is reconciled this often at most, whichever replica owns it. */
const RECONCILE_EVERY_MS = 3_600_000;
/** After a round that Armada or Redis did not let end. */
const RETRY_MS = 300_000;
/** A job set without a watch is reconciled at the end of a read, unless this many rounds wait. */
const MAX_BACKLOG = 20;
/** Jobs that one call to Armada names. */
const JOBS_PER_CALL = 500;

/** Hears what reconciling does, for logs and metrics. */
export interface ReconcileObserver {
  /** These jobs were given the end that Armada reported, some hundreds at a time. */
  repaired(key: JobSetKey, jobIds: readonly JobId[]): void;
  /** A round is over; with an error it did not reach its end, and is begun again later. */
  roundEnded(key: JobSetKey, repaired: number, error?: Error): void;
  /** This Armada has no `api.Jobs`: nothing is reconciled any more until this process starts again. Called once. */
  switchedOff(reason: string): void;
}

export interface ReconcilerOptions {
  readonly armada: TerminalStateSource;
  readonly observer: ReconcileObserver;
  /** An unfinished job is reconciled once its state has not changed for this long. Milliseconds. */
  readonly unfinishedAfterMs: number;
  /** How long Armada keeps events. A job set that resumes after a longer pause has a gap: all its unfinished jobs are reconciled. */
  readonly eventRetentionMs: number;
  /** For what Armada dated: an hour more or less changes only when a job is compared. */
  readonly now: () => ArmadaTime;
  readonly monotonic?: () => MonotonicTime;
}

/**
 * Compares jobs that stay unfinished with Armada's own `api.Jobs`, and gives those that have ended there their end: Armada forgets
 * events, and does not report a gap. One round at a time, so that few ids are in memory and Armada has few calls to answer.
 */
export class Reconciler {
  private lastRound: Promise<void> = Promise.resolve();
  private isOff = false;
  private backlog = 0;

  constructor(private readonly options: ReconcilerOptions) {}

  /** The rounds of one job set while one writer writes it. */
  roundsOf(writer: JobSetWriter, batchWriter: Pick<BatchWriter, 'repair' | 'markReconciled'>): Rounds {
    return new Rounds(writer, batchWriter, this.options, this);
  }

  /** Whether a round would wait for long. */
  get isBusy(): boolean {
    return this.backlog >= MAX_BACKLOG;
  }

  /** Runs a round after those of all job sets before; none once Armada has answered that it has no `api.Jobs`. */
  run(round: () => Promise<void>): Promise<void> {
    const run = this.lastRound.then(async () => {
      if (this.isOff) return;
      try {
        await round();
      } catch (error) {
        if (!(error instanceof NoApiJobsError)) throw error;
        this.isOff = true;
        this.options.observer.switchedOff(error.message);
      }
    });
    this.backlog++;
    this.lastRound = run.catch(() => undefined).finally(() => this.backlog--);
    return run;
  }
}

/** When one job set is reconciled, and how. */
export class Rounds {
  private readonly hasGap: boolean;
  private readonly monotonic: () => MonotonicTime;
  private dueAt: MonotonicTime;
  private running: Promise<void> | undefined;
  private isStopped = false;

  constructor(
    private readonly writer: JobSetWriter,
    private readonly batchWriter: Pick<BatchWriter, 'repair' | 'markReconciled'>,
    private readonly options: ReconcilerOptions,
    private readonly reconciler: Reconciler,
  ) {
    const cursor = parseMessageId(writer.cursor);
    this.hasGap =
      cursor !== undefined && msBetween(messageTime(cursor), options.now()) > options.eventRetentionMs;
    this.monotonic = options.monotonic ?? monotonicNow;
    this.dueAt = addMs(this.monotonic(), RECONCILE_EVERY_MS - (writer.reconciledAgoMs ?? Infinity));
  }

  /** Begins a round if one is due. Returns at once. */
  tick(): void {
    const { writer } = this;
    if (this.running !== undefined || this.isStopped || writer.unfinished === 0) return;
    if (this.monotonic() < this.dueAt) return;
    this.running = this.round().finally(() => (this.running = undefined));
  }

  /** Begins a round if one is due and few wait. The round that runs then, if one does, resolves when it is over. */
  settle(): Promise<void> | undefined {
    if (!this.reconciler.isBusy) this.tick();
    return this.running;
  }

  /** Begins no round any more, and calls Armada no more in one that runs. */
  stop(): void {
    this.isStopped = true;
  }

  private async round(): Promise<void> {
    const { writer, options, reconciler } = this;
    const result = { repaired: 0, isComplete: false };
    try {
      await reconciler.run(async () => {
        for await (const jobIds of this.jobsToCompare()) result.repaired += await this.compare(jobIds);
        if (this.isStopped) return;
        this.batchWriter.markReconciled();
        result.isComplete = true;
      });
      this.dueAt = addMs(this.monotonic(), RECONCILE_EVERY_MS);
      if (result.isComplete || result.repaired > 0) {
        options.observer.roundEnded(writer.key, result.repaired);
      }
    } catch (error) {
      this.dueAt = addMs(this.monotonic(), RETRY_MS);
      options.observer.roundEnded(writer.key, result.repaired, error as Error);
    }
  }

  /** Gives those of these jobs their end that have ended at Armada; returns how many. */
  private async compare(jobIds: readonly JobId[]): Promise<number> {
    const { writer, batchWriter, options } = this;
    const ends = await options.armada.terminalStatesOf(jobIds);
    if (this.isStopped || ends.size === 0) return 0;
    const repaired = await batchWriter.repair(ends);
    if (repaired.length > 0) options.observer.repaired(writer.key, repaired);
    return repaired.length;
  }

  /** The jobs to compare, as many at a time as one call names. */
  private async *jobsToCompare(): AsyncGenerator<readonly JobId[]> {
    const { now, unfinishedAfterMs } = this.options;
    const before = addMs(now(), this.hasGap ? Infinity : -unfinishedAfterMs);
    let jobIds: JobId[] = [];
    for await (const some of this.writer.unfinishedJobs()) {
      for (const [jobId, changedAt] of some) {
        if (this.isStopped) return;
        if (changedAt < before && jobIds.push(jobId) === JOBS_PER_CALL) {
          yield jobIds;
          jobIds = [];
        }
      }
    }
    if (jobIds.length > 0) yield jobIds;
  }
}
