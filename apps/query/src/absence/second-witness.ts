import { completesWithin } from '@ajs/platform';
import { msUntilAnswer, type Caller } from '../caller.js';
import { RpcError } from '../rpc-error.js';
import type { UpstreamReport } from '../upstream/reported-jobs.js';
import type { JobReadOptions } from './job-read-options.js';

/** How long a call waits for a look-up in Armada's `api.Jobs`, which takes tens of milliseconds. Milliseconds. */
const LOOK_UP_MS = 2_000;

type Unanswered = Extract<UpstreamReport, { kind: 'unanswered' }>;

export const TOO_SLOW: Unanswered = {
  kind: 'unanswered',
  reason: "Armada's api.Jobs has not answered in time",
};

/** What a look-up in Armada's `api.Jobs` brings, or why the caller cannot wait for it: then it may not have begun. */
export async function inTime<T>(
  lookUp: () => Promise<T>,
  caller: Caller,
  waiting: JobReadOptions['waiting'],
): Promise<T | Unanswered> {
  try {
    return await waiting(caller, async (): Promise<T | Unanswered> => {
      const report = lookUp();
      const withinMs = Math.min(LOOK_UP_MS, msUntilAnswer(caller));
      return (await completesWithin(withinMs, report)) ? await report : TOO_SLOW;
    });
  } catch (error) {
    // Too many calls wait: no reason to hide a state that is known (P5).
    if (error instanceof RpcError) return { kind: 'unanswered', reason: error.details };
    throw error;
  }
}
