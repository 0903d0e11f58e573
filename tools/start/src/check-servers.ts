import { completesWithin } from '@ajs/platform';
import type { ArmadaClient } from '@ajs/armada-client';
import { loadSettings } from '@ajs/config';
import { createRedisClient } from '@ajs/job-store';

const ANSWER_MS = 3_000;

/** Rejects with an explanation if the Redis that the user named does not reply. */
export async function checkRedis(url: string): Promise<void> {
  const { redis: target } = loadSettings({ argv: [], env: { REDIS_URL: url } });
  let last = `no reply within ${ANSWER_MS / 1000} s`;
  const redis = createRedisClient(target, 'work-queue', (error) => (last = error.message || String(error)));
  try {
    if (await completesWithin(ANSWER_MS, redis.exists('armada-job-service'))) return;
  } finally {
    redis.disconnect();
  }
  throw new Error(
    `cannot reach the Redis given by --redis: ${last}. Start it, or omit --redis to use a private one`,
  );
}

/** Prints a warning if the Armada that the user named does not reply; it may do so later. */
export async function warnIfAway(armada: ArmadaClient, address: string): Promise<void> {
  await armada.health().catch((error: unknown) => {
    console.log(`Cannot reach Armada at ${address} yet (${(error as Error).message}); retrying.`);
  });
}
