import { eventually } from '@ajs/testing';

/** Longer than anything takes here, on a machine that is busy with other work as well. Milliseconds. */
const PATIENCE_MS = 60_000;

/** As {@link eventually}, for what may take its time: how fast the machine is decides nothing. */
export function patiently<T>(
  what: string,
  look: () => T | undefined | false | Promise<T | undefined | false>,
): Promise<T> {
  return eventually(what, look, PATIENCE_MS);
}
