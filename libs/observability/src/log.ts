import type { LoggerService } from '@nestjs/common';
import { pino, stdTimeFunctions, type DestinationStream, type Logger } from 'pino';

/** Writes one JSON object per line to standard output: `level`, `time`, `app`, `msg`, and fields with details. */
export type Log = Logger;

export function createLog(app: string, level: string, destination?: DestinationStream): Log {
  return pino(
    {
      level,
      base: { app },
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: toPlainError },
    },
    destination,
  );
}

/**
 * The part of an error that is logged: type, message and stack, with its causes. Other properties are left out: errors of the Redis
 * client carry the failed command with its arguments, which may be a password or a whole batch.
 */
function toPlainError(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const { type, message, stack } = pino.stdSerializers.err(error);
  return { type, message, stack };
}

/** Nest's own log lines. What it logs about modules and routes is at level debug. */
export class NestLog implements LoggerService {
  constructor(private readonly target: Log) {}

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
    this.target.warn(String(message));
  }

  error(message: unknown): void {
    this.target.error(message instanceof Error ? { err: message } : {}, String(message));
  }

  fatal(message: unknown): void {
    this.target.fatal(String(message));
  }
}
