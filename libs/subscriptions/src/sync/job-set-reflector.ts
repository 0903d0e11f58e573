import { msBetween } from '@ajs/job-state';
import { StaleWriterError, type JobSink } from '@ajs/job-store';
import { LoopProgress, monotonicNow, systemClock, type Clock } from '@ajs/platform';
import { Backoff } from './backoff.js';
import { ReflectorSession, type SessionOptions, type SessionOwner } from './reflector-session.js';
import {
  INITIAL_STATE,
  type ReflectorEffect,
  type ReflectorInput,
  type ReflectorOutcome,
  type ReflectorState,
} from './reflector-state.js';
import type { ReflectorTiming } from './reflector-timing.js';
import { transition } from './reflector-transitions.js';
import { storeFailureOf } from './store-failure.js';
import { StreamFailures } from './stream-failures.js';

const TICK_MS = 250;
/** From one write to the next: there is a heartbeat every few seconds. */
const MAX_ROUND_MS = 60_000;

export interface JobSetReflectorOptions extends SessionOptions {
  readonly sink: JobSink;
  readonly timing: ReflectorTiming;
  /** How its streams have failed in earlier assignments. */
  readonly failures?: StreamFailures;
  /** For the progress of its writes. */
  readonly clock?: Clock;
}

/**
 * Keeps the store in sync with the event stream of one job set: reads from the cursor to the end, then watches for as long as the quota
 * lets it, and checks the watch by reads; begins again where a watch fails, and opens the job set again where another owner wrote it.
 *
 * What it does when is decided by {@link transition}; this class performs what that returns, one input after the other.
 */
export class JobSetReflector implements SessionOwner {
  /** Of its writes to the store. */
  readonly progress: LoopProgress;
  private state: ReflectorState = INITIAL_STATE;
  private session: ReflectorSession | undefined;
  private readonly inputs: ReflectorInput[] = [];
  private isDispatching = false;
  private readonly storeBackoff: Backoff;
  private readonly failures: StreamFailures;
  private timer: NodeJS.Timeout | undefined;
  private finish: (outcome: ReflectorOutcome) => void = () => {};
  private readonly outcome = new Promise<ReflectorOutcome>((resolve) => (this.finish = resolve));

  constructor(private readonly options: JobSetReflectorOptions) {
    const { clock = systemClock } = options;
    this.progress = new LoopProgress(MAX_ROUND_MS, () => clock.monotonic());
    const { firstRetryMs, maxRetryMs } = options.timing;
    this.storeBackoff = new Backoff(firstRetryMs, maxRetryMs);
    this.failures = options.failures ?? new StreamFailures(options.timing);
  }

  /** Jobs that have not ended, as far as this assignment knows. */
  get unfinished(): number {
    return this.session?.batchWriter.unfinished ?? 0;
  }

  /** Follows until there is an outcome. Never rejects. Called once. */
  async run(): Promise<ReflectorOutcome> {
    this.progress.moved();
    // What is still followed when all else has ended keeps no process alive.
    const ticks = setInterval(() => this.tick(), TICK_MS).unref();
    void this.openJobSet();
    try {
      return await this.outcome;
    } finally {
      this.progress.idle();
      clearInterval(ticks);
      clearTimeout(this.timer);
    }
  }

  /** Stops reading. What was read is still written before {@link run} resolves. */
  stop(): void {
    this.dispatch({ kind: 'stop-requested' });
  }

  /** Closes the watch: the quota takes it back. */
  closeWatch(): void {
    this.dispatch({ kind: 'watch-revoked' });
  }

  /** A poll waits to know whether Armada knows a job: reads soon. */
  requestRead(): void {
    this.dispatch({ kind: 'read-requested' });
  }

  /** Writes a heartbeat now: whether Redis still has what it had shows at once. */
  heartbeat(): void {
    this.session?.batchWriter.heartbeat();
  }

  dispatch(input: ReflectorInput): void {
    this.inputs.push(input);
    // What an effect brings about at once comes after the other effects.
    if (this.isDispatching) return;
    this.isDispatching = true;
    for (let next = this.inputs.shift(); next !== undefined; next = this.inputs.shift()) this.take(next);
    this.isDispatching = false;
  }

  fail(error: unknown): void {
    const { observer, key } = this.options;
    const failure = storeFailureOf(error);
    if (error instanceof StaleWriterError) observer.staleWriter(key);
    else if (failure.kind === 'retryable') {
      this.progress.failed(error as Error);
      observer.writeFailed(key, error as Error);
    }
    this.dispatch({ kind: 'store-failed', failure });
  }

  private take(input: ReflectorInput): void {
    const { timing } = this.options;
    try {
      const { state, effects } = transition(this.state, input, { now: monotonicNow(), timing });
      this.state = state;
      for (const effect of effects) this.perform(effect);
    } catch (error) {
      this.fail(error);
    }
    const { phase } = this.state;
    if (phase.kind === 'ended') this.finish(phase.outcome);
  }

  private perform(effect: ReflectorEffect): void {
    if (effect.kind === 'open-job-set') void this.openJobSet();
    else if (effect.kind === 'abandon-job-set') this.abandonJobSet();
    else if (effect.kind === 'back-off') this.wait(effect.ms);
    else if (effect.kind === 'back-off-store') this.wait(this.storeBackoff.next());
    else this.session?.perform(effect);
  }

  private async openJobSet(): Promise<void> {
    const { lease, quota, sink, key } = this.options;
    try {
      await lease.whenHeld();
      if (await quota.isForgotten()) {
        this.dispatch({ kind: 'forgotten' });
        return;
      }
      const writer = await sink.open(key);
      if (this.state.phase.kind !== 'opening') return;
      this.session = new ReflectorSession(writer, this.options, this.failures, this);
      this.dispatch({ kind: 'opened' });
    } catch (error) {
      this.fail(error);
    }
  }

  private abandonJobSet(): void {
    const { session } = this;
    if (session === undefined || session.isOver) return;
    // What went well for so long did not fail for the same reason.
    if (msBetween(session.openedAt, monotonicNow()) > this.options.timing.maxRetryMs)
      this.storeBackoff.reset();
    session.abandon();
  }

  private wait(ms: number): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.dispatch({ kind: 'wait-elapsed' }), ms);
  }

  private tick(): void {
    const { session } = this;
    if (session === undefined || session.isOver || !this.options.lease.isHeld()) return;
    const watch = session.watchProgress;
    this.dispatch({ kind: 'tick', ...(watch !== undefined && { watch }) });
  }
}
