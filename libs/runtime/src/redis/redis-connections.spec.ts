import { Test } from '@nestjs/testing';
import { loadSettings } from '@ajs/config';
import { Metrics, createLog } from '@ajs/observability';
import { RedisServer, eventually } from '@ajs/testing';
import { Redis } from 'ioredis';
import { Readiness } from '../health/readiness.js';
import { ProcessModule } from '../process/process.module.js';
import { RedisConnections } from './redis-connections.js';
import { RedisModule } from './redis.module.js';

let server: RedisServer;
let admin: Redis;
let lines: Record<string, unknown>[];
const cleanUps: (() => unknown)[] = [];

beforeEach(async () => {
  lines = [];
  server = await RedisServer.start();
  admin = new Redis(server.url);
});

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0)) await cleanUp();
  admin.disconnect();
  await server.stop();
});

/** Opens the main client of an ingester as this user. */
async function connectAs(login: string, level: 'info' | 'debug' = 'info'): Promise<Readiness> {
  const log = createLog('app', level, {
    write: (line: string) => lines.push(JSON.parse(line) as Record<string, unknown>),
  });
  const settings = loadSettings({
    argv: [],
    env: { REDIS_URL: `redis://${login}@127.0.0.1:${server.port}` },
  });
  const module = await Test.createTestingModule({
    imports: [ProcessModule.of({ settings, log, metrics: new Metrics() }), RedisModule],
  }).compile();
  await module.init();
  cleanUps.push(() => module.close());
  module.get(RedisConnections).openMain('writer');
  return module.get(Readiness);
}

const logged = (text: RegExp): Promise<Record<string, unknown>> =>
  eventually(`a line ${text}`, () => lines.find(({ msg }) => text.test(String(msg))));

describe('the connections of a process to Redis', () => {
  it('are logged as denied, once, where the login is wrong', async () => {
    await admin.call('ACL', 'SETUSER', 'app', 'on', '>secret', '~*', '&*', '+@all');
    const readiness = await connectAs('app:wrong');
    expect(await logged(/^Redis denies access; check the user/)).toMatchObject({
      level: 'error',
      err: { message: expect.stringContaining('WRONGPASS') as string },
    });
    await logged(/^Redis is unavailable/);
    expect((await readiness.report()).ready).toBe(false);
    expect(lines).toHaveLength(2);
  });

  it('make a process that lacks rights unready, with their names, until they are granted', async () => {
    await admin.call('ACL', 'SETUSER', 'app', 'on', '>secret', '~ajs:*', '&*', '+@all', '-time');
    const readiness = await connectAs('app:secret');
    expect(await logged(/lacks rights/)).toMatchObject({ level: 'error', missing: ['~{ajs}:*', '+time'] });
    expect(await readiness.report()).toMatchObject({
      ready: false,
      checks: { redis: 'ok', redisRights: 'the user of Redis lacks rights: ~{ajs}:* +time' },
    });
    await admin.call('ACL', 'SETUSER', 'app', '~*', '+time');
    await logged(/has all rights now/);
    expect(await readiness.report()).toMatchObject({ ready: true, checks: { redisRights: 'ok' } });
    expect(lines.filter(({ msg }) => /rights/.test(String(msg)))).toHaveLength(2);
  });

  it('keep a process unready that lacks rights while Redis cannot be asked whether they were granted', async () => {
    await admin.call('ACL', 'SETUSER', 'app', 'on', '>secret', '~*', '&*', '+@all', '-time');
    const readiness = await connectAs('app:secret', 'debug');
    await logged(/lacks rights/);
    await server.kill();
    await logged(/could not try the rights/);
    expect((await readiness.report()).checks).toMatchObject({
      redisRights: 'the user of Redis lacks rights: +time',
    });
  });
});
