import { writeSync } from 'node:fs';
import type { OutputLog } from './process-output.js';

/** A log in the form of {@link Log}, for as long as the package that makes it is not loaded. */
export function earlyLog(app: string): OutputLog {
  const write = (level: string, { err, ...fields }: { readonly err?: unknown }, msg: string): void => {
    const time = new Date().toISOString();
    writeSync(
      1,
      `${JSON.stringify({ level, time, app, ...fields, ...(err !== undefined && { err: plain(err) }), msg })}\n`,
    );
  };
  return {
    info: (fields, text) => write('info', fields, text),
    warn: (fields, text) => write('warn', fields, text),
    fatal: (fields, text) => write('fatal', fields, text),
  };
}

function plain(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const { name: type, message, stack } = error;
  return { type, message, stack };
}
