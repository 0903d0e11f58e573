import type { JobEnrichment } from '@ajs/job-state';

/*
 * Facts as Redis keeps them: three lines of JSON, for the run, the cancellation and the error, each empty where nothing is
 * known. JSON has no line break of its own, so that the script which merges facts need not read it.
 */

/** Facts as one text. */
export function encodeEnrichment({ run, cancellation, error }: JobEnrichment): string {
  return [
    run && JSON.stringify([run.number, run.id]),
    cancellation && JSON.stringify([cancellation.reason, cancellation.user]),
    error !== undefined && JSON.stringify(error),
  ]
    .map((line) => line || '')
    .join('\n');
}

/** The inverse of {@link encodeEnrichment}. */
export function decodeEnrichment(text: string): JobEnrichment {
  const [run, cancellation, error] = text.split('\n').map((line) => (line === '' ? undefined : line));
  const facts: { -readonly [K in keyof JobEnrichment]: JobEnrichment[K] } = {};
  if (run !== undefined) {
    const [number, id] = JSON.parse(run) as [number, string];
    facts.run = { number, id };
  }
  if (cancellation !== undefined) {
    const [reason, user] = JSON.parse(cancellation) as [string, string];
    facts.cancellation = { reason, user };
  }
  if (error !== undefined) facts.error = JSON.parse(error) as string;
  return facts;
}
