import {
  msBetween,
  addMs,
  messageTime,
  parseMessageId,
  type JobSetKey,
  type ArmadaTime,
} from '@ajs/job-state';
import type { JobSetWriter } from '@ajs/job-store';
import type { BatchWriter } from './batch-writer.js';
import { NoJobEndsError, type JobEnds } from './job-ends.js';

/** A job set is reconciled this often at the most, whoever holds it. */
const EVERY_MS = 3_600_000;
/** After a round that Armada or Redis did not let end. */
const RETRY_MS = 300_000;
/** A job set without a watch is reconciled at the end of a read, unless so many rounds wait for their turn. */
const FEW_ROUNDS = 20;
/** Ids that one question to Armada names. */
const ASKED_AT_ONCE = 500;

/** Hears what reconciling does, for logs and metrics. */
export interface ReconcileObserver {
  /** These jobs have been given the end that Armada told, some hundreds at a time. */
  repaired(key: JobSetKey, jobIds: readonly string[]): void;
  /** A round is over; with an error it did not reach its end, and is begun again later. */
  roundEnded(key: JobSetKey, repaired: number, error?: Error): void;
  /** This Armada has no `api.Jobs`: nothing is reconciled any more until this process begins again. Called once. */
  switchedOff(reason: string): void;
}

export interface ReconcilerOptions {
  readonly armada: JobEnds;
  readonly observer: ReconcileObserver;
  /** Asked about are jobs that have not ended and changed last longer ago than this. Milliseconds. */
  readonly unfinishedAfterMs: number;
  /** Armada keeps events so long. A job set that resumes after a longer pause has a gap: all its unfinished jobs are asked about. */
  readonly eventRetentionMs: number;
  readonly now: () => ArmadaTime;
}

/**
 * Compares jobs that stay unfinished with Armada's own `api.Jobs`, and gives those that have ended there their end: Armada forgets
 * events, and says nothing of a gap. One round at a time, so that few ids are in memory and Armada has few questions to answer.
 */
export class Reconciler {
  private lastRound: Promise<void> = Promise.resolve();
  private off = false;
  private waiting = 0;

  constructor(private readonly options: ReconcilerOptions) {}

  /** The rounds of one job set while one writer writes it. */
  roundsOf(writer: JobSetWriter, batchWriter: Pick<BatchWriter, 'repair' | 'markReconciled'>): Rounds {
    return new Rounds(
      writer,
      batchWriter,
      this.options,
      (round) => this.inTurn(round),
      () => this.waiting < FEW_ROUNDS,
    );
  }

  /** Rounds of all job sets follow each other; none begins once Armada has said that it cannot tell. */
  private inTurn(round: () => Promise<void>): Promise<void> {
    const turn = this.lastRound.then(async () => {
      if (this.off) return;
      try {
        await round();
      } catch (error) {
        if (!(error instanceof NoJobEndsError)) throw error;
        this.off = true;
        this.options.observer.switchedOff(error.message);
      }
    });
    this.waiting++;
    this.lastRound = turn.catch(() => undefined).finally(() => this.waiting--);
    return turn;
  }
}

/** When one job set is reconciled, and how. */
export class Rounds {
  private readonly hasGap: boolean;
  private dueAt: ArmadaTime;
  private running: Promise<void> | undefined;
  private stopped = false;

  constructor(
    private readonly writer: JobSetWriter,
    private readonly batchWriter: Pick<BatchWriter, 'repair' | 'markReconciled'>,
    private readonly options: ReconcilerOptions,
    private readonly inTurn: (round: () => Promise<void>) => Promise<void>,
    private readonly fewWait: () => boolean,
  ) {
    const cursor = parseMessageId(writer.cursor);
    this.hasGap =
      cursor !== undefined && msBetween(messageTime(cursor), options.now()) > options.eventRetentionMs;
    this.dueAt = addMs(options.now(), EVERY_MS - (writer.reconciledAgoMs ?? Infinity));
  }

  /** Begins a round if one is due. Returns at once. */
  tick(): void {
    const { writer, options } = this;
    if (this.running !== undefined || this.stopped || writer.unfinished === 0 || options.now() < this.dueAt)
      return;
    this.running = this.round().finally(() => (this.running = undefined));
  }

  /** Begins a round if one is due and few wait. What runs then, if something does: resolves when it is over. */
  settle(): Promise<void> | undefined {
    if (this.fewWait()) this.tick();
    return this.running;
  }

  /** Begins no round any more, and asks nothing more in one that runs. */
  stop(): void {
    this.stopped = true;
  }

  private async round(): Promise<void> {
    const { writer, batchWriter, options } = this;
    let repaired = 0;
    let complete = false;
    try {
      await this.inTurn(async () => {
        for await (const jobIds of this.inQuestion()) {
          const ends = await options.armada.endsOf(jobIds);
          if (this.stopped) return;
          if (ends.size === 0) continue;
          const given = await batchWriter.repair(ends);
          repaired += given.length;
          if (given.length > 0) options.observer.repaired(writer.key, given);
        }
        if (this.stopped) return;
        batchWriter.markReconciled();
        complete = true;
      });
      this.dueAt = addMs(options.now(), EVERY_MS);
      if (complete || repaired > 0) options.observer.roundEnded(writer.key, repaired);
    } catch (error) {
      this.dueAt = addMs(options.now(), RETRY_MS);
      options.observer.roundEnded(writer.key, repaired, error as Error);
    }
  }

  /** The jobs to ask about, so many at a time that one question names them. */
  private async *inQuestion(): AsyncGenerator<string[]> {
    const { now, unfinishedAfterMs } = this.options;
    const before = this.hasGap ? addMs(now(), Infinity) : addMs(now(), -unfinishedAfterMs);
    let jobIds: string[] = [];
    for await (const some of this.writer.unfinishedJobs()) {
      for (const [jobId, changedAt] of some) {
        if (this.stopped) return;
        if (changedAt < before && jobIds.push(jobId) === ASKED_AT_ONCE) {
          yield jobIds;
          jobIds = [];
        }
      }
    }
    if (jobIds.length > 0) yield jobIds;
  }
}
