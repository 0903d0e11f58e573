import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import type { Log } from '@ajs/observability';
import { Readiness } from '../health/readiness.js';
import { LOG } from './tokens.js';

/** What has not stopped by then is abandoned, and the process ends with 1. Milliseconds. */
const STOP_TIMEOUT_MS = 4_500;

/** The frame of a clean stop: {@link begin} comes before any module stops, the hook after all of them. And the one end that is not clean. */
@Injectable()
export class Shutdown implements OnApplicationShutdown {
  private deadline: NodeJS.Timeout | undefined;

  constructor(
    @Inject(LOG) private readonly log: Log,
    @Inject(Readiness) private readonly readiness: Readiness,
  ) {}

  /** Ends the process with 1: without the loop it would look alive, and do nothing. */
  loopEnded(loop: string, error: Error): void {
    this.log.fatal(
      { err: error, loop },
      `the background loop ${loop} ended and cannot be restarted; exiting`,
    );
    process.exit(1);
  }

  begin(): void {
    this.log.info('stopping');
    this.readiness.stop();
    this.deadline = setTimeout(() => {
      this.log.error(`did not stop within ${STOP_TIMEOUT_MS} ms; exiting with work unfinished`);
      process.exit(1);
    }, STOP_TIMEOUT_MS).unref();
  }

  onApplicationShutdown(signal?: string): void {
    clearTimeout(this.deadline);
    this.log.info({ signal }, 'stopped');
  }
}
