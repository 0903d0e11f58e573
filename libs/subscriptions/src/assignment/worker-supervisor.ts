import { LoopProgress, systemClock, type Clock } from '@ajs/platform';
import type { Worker } from 'bullmq';
import type { WorkerLoops } from './worker-backend.js';

const LOOK_EVERY_MS = 1_000;
/** An idle worker fetches every second, and checks twice as often. */
const MAX_ROUND_MS = 15_000;
/** A worker that has ended so often, each time within a second, cannot be run again. */
const MAX_RUNS = 10;

type SupervisedWorker = Pick<Worker, 'run' | 'isRunning' | 'isPaused' | 'startStalledCheckTimer'>;

export interface WorkerSupervisorOptions {
  readonly onError: (error: Error) => void;
  /** The worker has ended, and does not come back in this process. Called once. */
  readonly onEnded: (error: Error) => void;
  readonly clock?: Clock;
}

/**
 * Keeps the two loops of BullMQ's worker running. BullMQ leaves both to themselves: its check for stalled jobs ends for good with an
 * error that is not of the connection, such as a command that timed out, and jobs of a killed replica would wait for ever.
 */
export class WorkerSupervisor {
  readonly loops: WorkerLoops;
  private readonly clock: Clock;
  private cancelLook = (): void => undefined;
  private runs = 0;
  private lastError = new Error('it returned');

  constructor(private readonly options: WorkerSupervisorOptions) {
    this.clock = options.clock ?? systemClock;
    const now = () => this.clock.monotonic();
    this.loops = {
      fetching: new LoopProgress(MAX_ROUND_MS, now),
      stalledCheck: new LoopProgress(MAX_ROUND_MS, now),
    };
  }

  start(worker: SupervisedWorker): void {
    for (const loop of Object.values(this.loops)) loop.moved();
    this.look(worker);
  }

  stop(): void {
    this.cancelLook();
    for (const loop of Object.values(this.loops)) loop.idle();
  }

  private look(worker: SupervisedWorker): void {
    if (!worker.isPaused()) {
      if (worker.isRunning()) this.runs = 0;
      else if (!this.run(worker)) return;
      if (this.loops.stalledCheck.standstill !== undefined) {
        worker.startStalledCheckTimer().catch(this.options.onError);
      }
    }
    this.cancelLook = this.clock.after(LOOK_EVERY_MS, () => this.look(worker));
  }

  /** Runs a worker that does not run; returns whether there is hope for it. */
  private run(worker: SupervisedWorker): boolean {
    if (this.runs === MAX_RUNS) {
      this.options.onEnded(this.lastError);
      return false;
    }
    this.runs++;
    worker.run().catch((error: unknown) => {
      this.lastError = error as Error;
      this.loops.fetching.failed(this.lastError);
      this.options.onError(this.lastError);
    });
    return true;
  }
}
