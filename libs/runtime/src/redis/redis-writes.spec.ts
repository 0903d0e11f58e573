import { jest } from '@jest/globals';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Test, type TestingModule } from '@nestjs/testing';
import { loadSettings } from '@ajs/config';
import type { WriteRefusal } from '@ajs/job-store';
import { Metrics, createLog } from '@ajs/observability';
import { RedisServer, eventually } from '@ajs/testing';
import { Redis } from 'ioredis';
import { ProcessModule } from '../process/process.module.js';
import { RedisConnections } from './redis-connections.js';
import { RedisErrorLog } from './redis-error-log.js';
import { RedisModule } from './redis.module.js';
import { RedisWrites } from './redis-writes.js';

/** Makes a server refuse writes, or take them again. */
type Act = (admin: Redis, folder: string) => Promise<unknown>;

const CASES: readonly (readonly [reason: WriteRefusal, text: RegExp, refuse: Act, heal: Act])[] = [
  [
    'out-of-memory',
    /has reached its maxmemory/,
    (admin) => admin.config('SET', 'maxmemory', '1'),
    (admin) => admin.config('SET', 'maxmemory', '0'),
  ],
  [
    'not-persisting',
    /cannot save its data/,
    // A folder stands where the file is to be.
    async (admin, folder) => {
      await mkdir(join(folder, 'dump.rdb'));
      await save(admin, 'err');
    },
    async (admin, folder) => {
      await rm(join(folder, 'dump.rdb'), { recursive: true });
      await save(admin, 'ok');
    },
  ],
  [
    'too-few-replicas',
    /fewer replicas than min-replicas-to-write/,
    (admin) => admin.config('SET', 'min-replicas-to-write', '1'),
    (admin) => admin.config('SET', 'min-replicas-to-write', '0'),
  ],
  [
    'read-only',
    /a read-only replica/,
    (admin) => admin.replicaof('127.0.0.1', 1),
    (admin) => admin.replicaof('NO', 'ONE'),
  ],
];

async function save(admin: Redis, status: 'ok' | 'err'): Promise<void> {
  await admin.bgsave();
  await eventually(`the save ended with ${status}`, async () => {
    const info = await admin.info('persistence');
    return info.includes('rdb_bgsave_in_progress:0') && info.includes(`rdb_last_bgsave_status:${status}`);
  });
}

let folder: string;
let server: RedisServer;
let admin: Redis;
let module: TestingModule;
let lines: Record<string, unknown>[];

beforeEach(async () => {
  lines = [];
  folder = await mkdtemp(join(tmpdir(), 'redis-writes-'));
  server = await RedisServer.start(['--dir', folder, '--save', '3600 1']);
  admin = new Redis(server.url);
  const log = createLog('app', 'info', {
    write: (line: string) => lines.push(JSON.parse(line) as Record<string, unknown>),
  });
  const settings = loadSettings({ argv: [], env: { REDIS_URL: server.url } });
  module = await Test.createTestingModule({
    imports: [ProcessModule.of({ settings, log, metrics: new Metrics() }), RedisModule],
  }).compile();
  module.get(RedisConnections).openMain('writer');
  await module.init();
  await module.get(RedisConnections).firstContact();
  lines = [];
});

afterEach(async () => {
  await module.close();
  admin.disconnect();
  await server.stop();
  await rm(folder, { recursive: true });
});

async function refusals(): Promise<unknown[]> {
  return (await module.get(Metrics).redisWritesRefused.get()).values;
}

describe('a Redis that refuses writes', () => {
  it.each(CASES)(
    'for the reason %s is reported by readiness, a metric and one log line, until it takes them again',
    async (reason, text, refuse, heal) => {
      const writes = module.get(RedisWrites);
      const { main } = module.get(RedisConnections);
      await expect(writes.check()).resolves.toBeUndefined();
      await refuse(admin, folder);
      for (let i = 0; i < 20; i++) await main.set('a', i).catch(module.get(RedisErrorLog).report);
      await expect(writes.check()).rejects.toThrow(text);
      expect(await refusals()).toEqual([{ labels: { reason }, value: 1 }]);
      await heal(admin, folder);
      await eventually('Redis takes writes again', () =>
        writes.check().then(
          () => true,
          () => false,
        ),
      );
      expect(await main.set('a', 'b')).toBe('OK');
      expect(await refusals()).toEqual([]);
      expect(lines).toMatchObject([
        { level: 'error', reason, msg: expect.stringMatching(text) as string },
        { level: 'info', reason, msg: 'Redis takes writes again' },
      ]);
    },
  );

  it('is reported with its last reason alone where that changes', async () => {
    const writes = module.get(RedisWrites);
    writes.report(new Error("OOM command not allowed when used memory > 'maxmemory'."));
    writes.report(new Error("READONLY You can't write against a read only replica."));
    await expect(writes.check()).rejects.toThrow('a read-only replica');
    expect(await refusals()).toEqual([{ labels: { reason: 'read-only' }, value: 1 }]);
  });

  it('is asked no more once it takes writes again, until it refuses them again', async () => {
    const timers = jest.spyOn(globalThis, 'setInterval');
    const stopped = jest.spyOn(globalThis, 'clearInterval');
    const writes = module.get(RedisWrites);
    for (let n = 0; n < 2; n++) {
      writes.report(new Error("OOM command not allowed when used memory > 'maxmemory'."));
      const probes = timers.mock.results.at(-1)?.value as NodeJS.Timeout;
      await eventually('Redis takes writes again', () => writes.check().then(() => true));
      expect(stopped).toHaveBeenCalledWith(probes);
    }
    jest.restoreAllMocks();
  });

  it('is reported as such for as long as any of its masters refuses them', async () => {
    const writes = module.get(RedisWrites);
    const error = new Error("OOM command not allowed when used memory > 'maxmemory'.");
    const since = performance.now();
    await eventually('writes of another master are refused for 5 s', () => {
      writes.report(error);
      return performance.now() - since > 5_000;
    });
    await expect(writes.check()).rejects.toThrow('refuses writes');
    expect(lines).toHaveLength(1);
  });
});
