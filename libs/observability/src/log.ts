import type { LoggerService } from '@nestjs/common';
import { pino, stdTimeFunctions, type DestinationStream, type Logger } from 'pino';

/** One JSON object a line, on standard output: `level`, `time`, `app`, `msg`, and what the line is about. */
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
 * What a line tells of an error, its causes included. Nothing else that hangs on it: errors of the Redis client carry the command
 * that failed with its arguments, among them the password, or a whole batch.
 */
function toPlainError(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const { type, message, stack } = pino.stdSerializers.err(error);
  return { type, message, stack };
}

/** Nest's own lines: what it says of its modules and routes is for debugging. */
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
