import { completesWithin } from '@ajs/platform';
import type { ArmadaClient } from '@ajs/armada-client';
import { loadSettings } from '@ajs/config';
import { createRedisClient } from '@ajs/job-store';

const ANSWER_MS = 3_000;

/** Rejects, with what to do, unless the Redis that the user named answers. */
export async function checkRedis(url: string): Promise<void> {
  const { redis: target } = loadSettings({ argv: [], env: { REDIS_URL: url } });
  let last = `nothing within ${ANSWER_MS / 1000} s`;
  const redis = createRedisClient(target, 'work-queue', (error) => (last = error.message || String(error)));
  try {
    if (await completesWithin(ANSWER_MS, redis.exists('armada-job-service'))) return;
  } finally {
    redis.disconnect();
  }
  throw new Error(
    `no Redis answers at the given --redis: ${last}. Start it, or leave --redis out for a private one`,
  );
}

/** A word of warning where the Armada that the user named does not answer; it may yet. */
export async function warnIfAway(armada: ArmadaClient, address: string): Promise<void> {
  await armada.health().catch((error: unknown) => {
    console.log(
      `Armada does not answer at ${address} yet (${(error as Error).message}); trying again until it does.`,
    );
  });
}
