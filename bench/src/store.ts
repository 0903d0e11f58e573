import { createRedisClient, type RedisClient } from '@ajs/job-store';
import { eventually, RedisServer } from '@ajs/testing';

/** A private Redis and a client of it. */
export interface Store {
  readonly server: RedisServer;
  readonly redis: RedisClient;
  readonly stop: () => Promise<void>;
}

export async function startStore(): Promise<Store> {
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
