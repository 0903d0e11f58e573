import type { LoggerService } from '@nestjs/common';
import { throttledLog, type Log, type ThrottledLog } from '@ajs/observability';

/** Nest's own log lines. What it logs about modules and routes is at level debug; what is repeated is counted. */
export class NestLog implements LoggerService {
  private readonly throttled: ThrottledLog;

  constructor(private readonly target: Log) {
    this.throttled = throttledLog(target);
  }

  log(message: unknown): void {
    this.target.debug(String(message));
  }

  debug(message: unknown): void {
    this.target.debug(String(message));
  }

  verbose(message: unknown): void {
    this.target.trace(String(message));
  }

  warn(message: unknown): void {
    this.throttled('warn', {}, String(message));
  }

  error(message: unknown): void {
    this.throttled('error', message instanceof Error ? { err: message } : {}, String(message));
  }

  fatal(message: unknown): void {
    this.target.fatal(String(message));
  }
}
