import { createRedisClient, type RedisClient } from '@ajs/job-store';
import { eventually, RedisServer } from '@ajs/testing';

/** A private Redis and a client of it. */
export async function startStore(): Promise<{
  server: RedisServer;
  redis: RedisClient;
  stop: () => Promise<void>;
}> {
  const server = await RedisServer.start();
  const redis = createRedisClient({ kind: 'single', url: server.url }, 'writer', (error) =>
    console.error(error.message),
  );
  await eventually('Redis is connected', () => redis.status === 'ready');
  return {
    server,
    redis,
    stop: async () => {
      redis.disconnect();
      await server.stop();
    },
  };
}

/** Of no consequence for a benchmark on a private server. */
export const SINK_OPTIONS = { ttlSeconds: 86_400, onLost: () => undefined, onKept: () => undefined };
