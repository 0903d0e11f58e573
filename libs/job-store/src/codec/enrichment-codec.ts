import type { JobEnrichment } from '@ajs/job-state';
import { UnreadableRecordError } from '../errors.js';

/*
 * Enrichment as Redis keeps it: three lines of JSON, for the run, the cancellation and the error, each empty where nothing is
 * known. JSON has no line break of its own, so that the script which merges them need not read it. A newer version may keep more
 * lines behind these.
 */

/** Enrichment as one text. */
export function encodeEnrichment({ run, cancellation, error }: JobEnrichment): string {
  return [
    run && JSON.stringify([run.number, run.id]),
    cancellation && JSON.stringify([cancellation.reason, cancellation.user]),
    error !== undefined && JSON.stringify(error),
  ]
    .map((line) => line || '')
    .join('\n');
}

/** The inverse of {@link encodeEnrichment}. Throws {@link UnreadableRecordError}. */
export function decodeEnrichment(text: string): JobEnrichment {
  const [run = '', cancellation = '', error = ''] = text.split('\n');
  try {
    return {
      ...(run !== '' && { run: toRun(JSON.parse(run) as [number, string]) }),
      ...(cancellation !== '' && {
        cancellation: toCancellation(JSON.parse(cancellation) as [string, string]),
      }),
      ...(error !== '' && { error: JSON.parse(error) as string }),
    };
  } catch (cause) {
    throw new UnreadableRecordError(`its enrichment is not JSON: ${String(cause)}`);
  }
}

function toRun([number, id]: [number, string]): NonNullable<JobEnrichment['run']> {
  return { number, id };
}

function toCancellation([reason, user]: [string, string]): NonNullable<JobEnrichment['cancellation']> {
  return { reason, user };
}
