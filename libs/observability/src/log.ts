import { pino, stdTimeFunctions, type DestinationStream, type Logger } from 'pino';

/** Writes one JSON object per line to standard output: `level`, `time`, `app`, `msg`, and fields with details. */
export type Log = Logger;

export function createLog(
  app: string,
  level: string,
  // Not by way of process.stdout, whose text becomes lines of this log.
  destination: DestinationStream = pino.destination(1),
): Log {
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
