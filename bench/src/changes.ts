import { batchFigures } from './batches.js';
import type { Figure } from './figure.js';
import { buildLoadGenerator } from './load.js';
import { readerFigures } from './readers.js';
import { unwatchedWriteFigures } from './unwatched-writes.js';
import { waitFigures } from './waits.js';

/** What `jobservice.v2` costs: waiting for jobs, watching a job set, the writes that nobody watches, and many jobs in one call. */
export async function benchChanges(quick: boolean): Promise<Figure[]> {
  const binary = buildLoadGenerator();
  return [
    ...(await waitFigures(binary, quick)),
    ...(await readerFigures(binary, quick)),
    ...(await unwatchedWriteFigures(quick)),
    ...(await batchFigures(binary, quick)),
  ];
}
