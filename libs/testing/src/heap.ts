import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** So many collections of the young generation, so that whatever survives two of them has been moved to the old one. */
const ROUNDS = 20;

/** The bytes that are in use on V8's heap once all garbage is collected. */
export function heapUsed(): number {
  collector()();
  return process.memoryUsage().heapUsed;
}

/**
 * How many bytes V8's old generation grows by while `pass` is called again and again: what it makes and lets go should not get there. Begins
 * with a collection of everything, after which all that is alive is in the old generation.
 */
export async function oldGenerationGrowth(pass: () => void | Promise<void>): Promise<number> {
  const collect = collector();
  collect();
  const before = oldBytes();
  for (let round = 0; round < ROUNDS; round++) {
    await pass();
    collect({ type: 'minor' });
  }
  return oldBytes() - before;
}

function collector(): NonNullable<typeof gc> {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as NonNullable<typeof gc>;
}

function oldBytes(): number {
  return (
    getHeapSpaceStatistics().find(({ space_name }) => space_name === 'old_space')?.space_used_size ?? NaN
  );
}
