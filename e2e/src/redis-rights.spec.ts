import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { JobsService } from '@ajs/contracts/api/job';
import { RedisServer, unary } from '@ajs/testing';
import { Redis } from 'ioredis';
import type { AppProcess } from './app-process.js';
import { patiently } from './patiently.js';
import { ROOT } from './root.js';
import { Stack, type RunningQuery } from './stack.js';
import { QUEUE, Traffic, key, ref } from './traffic.js';

const DOCUMENT = readFileSync(join(ROOT, 'docs/redis.md'), 'utf8');

let stack: Stack;
let admin: Redis;
let port: number;

beforeEach(async () => {
  const redis = await RedisServer.start();
  port = redis.port;
  admin = new Redis(redis.url);
  stack = await Stack.start({}, redis);
  stack.armada.state.queues.add(QUEUE);
});

afterEach(async () => {
  admin.disconnect();
  await stack.stop();
});

/** Runs the lines of the documentation, without some of their rules; `default` can do nothing. */
async function grant(without: RegExp = /^$/): Promise<void> {
  const lines = [...DOCUMENT.matchAll(/^ {4}ACL SETUSER (ajs-\S+) on >PASSWORD (.+)$/gm)];
  expect(lines.map(([, user]) => user)).toEqual(['ajs-ingester', 'ajs-query']);
  for (const [, user = '', rules = ''] of lines) {
    const granted = rules.split(' ').filter((rule) => !without.test(rule));
    await admin.call('ACL', 'SETUSER', user, 'reset', 'on', '>PASSWORD', ...granted);
  }
  await admin.call('ACL', 'SETUSER', 'default', 'resetpass', '>admin');
}

async function start(): Promise<{ ingester: AppProcess; query: RunningQuery }> {
  const as = (user: string) => ({ REDIS_URL: `redis://${user}:PASSWORD@127.0.0.1:${port}` });
  return { ingester: await stack.ingester(as('ajs-ingester')), query: await stack.query(as('ajs-query')) };
}

async function readinessOf(app: AppProcess): Promise<{ ready: boolean; checks: Record<string, string> }> {
  const { http } = await app.logged('health and metrics are served');
  const response = await fetch(`http://${String(http)}/readyz`);
  return (await response.json()) as { ready: boolean; checks: Record<string, string> };
}

async function jobsRunToTheirEnd(query: RunningQuery): Promise<void> {
  const traffic = new Traffic(stack, query.client, 3, 5);
  traffic.begin();
  await traffic.toTheEnd();
}

it('the users of docs/redis.md can do all that both processes do, and are never denied anything', async () => {
  await grant();
  const { ingester, query } = await start();
  await jobsRunToTheirEnd(query);
  const { jobId } = ref(0, 0);
  const jobIds = [jobId];
  const { answer } = await unary(query.client, JobsService.getJobDetails, {
    jobIds,
    expandJobSpec: false,
    expandJobRun: true,
  });
  expect(answer.jobDetails[jobId]?.jobset).toBe(key(0).jobSetId);
  await unary(query.client, JobsService.getJobErrors, { jobIds });
  for (const app of [ingester, query.app]) expect((await readinessOf(app)).ready).toBe(true);
  expect(await admin.call('ACL', 'LOG')).toEqual([]);
  for (const { logs } of [ingester, query.app]) {
    expect(logs.filter(({ level }) => level === 'error')).toEqual([]);
  }
}, 180_000);

describe('a missing right', () => {
  it.each([
    ['INFO, with which BullMQ begins', /^\+info$/, ['+info'], ['+info']],
    ['the channel of read requests', /^&/, ['&ajs:read-requests'], ['&ajs:read-requests']],
    [
      'all rights but those to connect',
      /^\+(?!client)/,
      ['+evalsha', '+subscribe'],
      ['+evalsha', '+publish'],
    ],
  ] as const)(
    '(%s) is named by log and readiness, and all goes on without a restart once it is granted',
    async (_, rights, ofIngester, ofQuery) => {
      await grant(rights);
      const { ingester, query } = await start();
      for (const [app, missing] of [
        [ingester, ofIngester],
        [query.app, ofQuery],
      ] as const) {
        const line = await app.logged(
          'the user of Redis lacks rights; grant them with ACL SETUSER, as in docs/redis.md',
        );
        expect(line.level).toBe('error');
        expect(line['missing']).toEqual(expect.arrayContaining([...missing]));
        const { ready, checks } = await readinessOf(app);
        expect(ready).toBe(false);
        for (const each of missing) expect(checks['redisRights']).toContain(each);
      }
      await grant();
      for (const app of [ingester, query.app]) {
        await app.logged('the user of Redis has all rights now');
        await patiently('it is ready', async () => (await readinessOf(app)).ready);
      }
      await jobsRunToTheirEnd(query);
    },
    180_000,
  );
});
