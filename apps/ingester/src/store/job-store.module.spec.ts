import { Test, type TestingModule } from '@nestjs/testing';
import { loadSettings } from '@ajs/config';
import type { RedisClient } from '@ajs/job-store';
import { IngesterMetrics, createLog } from '@ajs/observability';
import { ProcessModule, Readiness, RedisErrorLog } from '@ajs/runtime';
import { RedisServer, eventually } from '@ajs/testing';
import { REDIS_WRITER } from '../tokens.js';
import { JobStoreModule } from './job-store.module.js';

let server: RedisServer;
let module: TestingModule;
/** What was logged: level and text. */
let lines: string[];

async function start(...args: string[]): Promise<void> {
  lines = [];
  server = await RedisServer.start(args);
  const log = createLog('ingester', 'info', {
    write: (line: string) => {
      const { level, msg } = JSON.parse(line) as { level: string; msg: string };
      lines.push(`${level} ${msg}`);
    },
  });
  const settings = loadSettings({ argv: [], env: { REDIS_URL: server.url } });
  module = await Test.createTestingModule({
    imports: [ProcessModule.of({ settings, log, metrics: new IngesterMetrics() }), JobStoreModule],
  }).compile();
  await module.init();
}

afterEach(async () => {
  await module.close();
  await server.stop();
});

describe('the job store of an ingester', () => {
  it('is ready while Redis takes writes, and says why where it does not', async () => {
    await start();
    const readiness = module.get(Readiness);
    await eventually('Redis is ready', async () => (await readiness.report()).ready);
    const redis = module.get<RedisClient>(REDIS_WRITER);
    await redis.config('SET', 'maxmemory', '1mb');
    await redis.set('a', 'b').catch(module.get(RedisErrorLog).report);
    expect(await readiness.report()).toEqual({
      ready: false,
      checks: {
        redis: 'ok',
        redisRights: 'ok',
        redisWrites:
          'Redis refuses writes: it has reached its maxmemory; give it more memory, or lower DELETE_AFTER_POLL',
      },
    });
  });

  it('warns of a Redis that may evict keys', async () => {
    await start('--maxmemory-policy', 'allkeys-lru', '--maxmemory', '1mb');
    await eventually('the warning is logged', () => lines.some((line) => line.startsWith('warn')));
    expect(lines).toContain(
      'warn Redis may evict keys when its memory is full; set maxmemory-policy noeviction',
    );
  });
});
