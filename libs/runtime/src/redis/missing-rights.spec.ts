import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { createRedisClient, isReady, type RedisClient } from '@ajs/job-store';
import { RedisKeys } from '@ajs/redis-keys';
import { RedisClusterServers, RedisServer, redisFlavours } from '@ajs/testing';
import { Redis } from 'ioredis';
import { allRights, missingRights, type RedisUser } from './missing-rights.js';

const DOCUMENT = readFileSync(join(import.meta.dirname, '../../../../docs/redis.md'), 'utf8');
const USERS = { writer: 'ajs-ingester', reader: 'ajs-query' } as const;

/** The rules of the line to copy for a user. */
function documented(user: RedisUser): string[] {
  const line = new RegExp(`^ {4}ACL SETUSER ${USERS[user]} on >PASSWORD (.+)$`, 'm').exec(DOCUMENT)?.[1];
  return line?.split(' ') ?? [];
}

/** Those that run here, and what they run with. */
const BULLMQ_SCRIPTS = [
  'addStandardJob-9',
  'moveToActive-11',
  'moveToDelayed-11',
  'moveToFinished-14',
  'moveStalledJobsToWait-9',
  'extendLocks-1',
  'promote-9',
  'moveJobsToWait-8',
  'getCounts-1',
];

function bullMqScript(name: string): string {
  const folder = join(import.meta.dirname, '../../../../node_modules/bullmq/dist/cjs/scripts');
  return readFileSync(join(folder, `${name}.js`), 'utf8');
}

function ourScripts(): string[] {
  const libs = join(import.meta.dirname, '../../..');
  const names = readdirSync(libs, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.lua'),
  );
  return names.map((name) => readFileSync(join(libs, name), 'utf8'));
}

function commandsOf(script: string): string[] {
  return [...script.matchAll(/(?:\brcall|redis\.p?call)\(["'](\w+)["']/g)].map(([, name = '']) =>
    name.toLowerCase(),
  );
}

let server: RedisServer;
let admin: Redis;
const clients: RedisClient[] = [];

afterEach(() => {
  for (const client of clients.splice(0)) client.disconnect();
});

/** The same rights for a deployment with a prefix, as docs/redis.md says it. */
function documentedWithPrefix(user: RedisUser, prefix: string): string[] {
  return documented(user).map((rule) =>
    /^[~&]/.test(rule) ? `${rule.charAt(0)}${prefix}:${rule.slice(1).replace('{ajs}', `{${prefix}}`)}` : rule,
  );
}

async function missingWith(user: RedisUser, rules: readonly string[], keyPrefix?: string): Promise<string[]> {
  await admin.call('ACL', 'SETUSER', 'app', 'reset', 'on', '>secret', ...rules);
  const client = createRedisClient(
    {
      kind: 'single',
      url: `redis://app:secret@127.0.0.1:${server.port}/1`,
      ...(keyPrefix !== undefined && { keyPrefix }),
    },
    user,
    () => {},
  );
  clients.push(client);
  await isReady(client);
  return missingRights(client, user);
}

const CASES = (await redisFlavours()).flatMap((flavour) =>
  (['writer', 'reader'] as const).map((user) => [user, flavour] as const),
);

describe.each(CASES)('the rights of a %s (%s)', (user, flavour) => {
  beforeAll(async () => {
    server = await RedisServer.start([], { flavour });
    admin = new Redis(server.url);
  });

  afterAll(async () => {
    admin.disconnect();
    await server.stop();
  });

  it('are those of the line in docs/redis.md', () => {
    expect(documented(user).sort()).toEqual(allRights(user, new RedisKeys()).sort());
  });

  it('are all there with that line, and trying them leaves nothing for long', async () => {
    expect(await missingWith(user, documented(user))).toEqual([]);
    await admin.select(1);
    for (const key of await admin.keys('*')) {
      expect(await admin.pttl(key)).toBeGreaterThan(0);
    }
  });

  it('are for one deployment alone: with a prefix they are those with the prefix, and no others', async () => {
    expect(allRights(user, new RedisKeys('lab')).sort()).toEqual(documentedWithPrefix(user, 'lab').sort());
    expect(await missingWith(user, documentedWithPrefix(user, 'lab'), 'lab')).toEqual([]);
    expect((await missingWith(user, documented(user), 'lab')).sort()).toEqual(
      documentedWithPrefix(user, 'lab')
        .filter((rule) => /^[~&]/.test(rule))
        .sort(),
    );
  });

  it('cover every command of the scripts that run', async () => {
    const granted = new Set<string>();
    for (const rule of documented(user).filter((each) => each.startsWith('+'))) {
      if (!rule.startsWith('+@')) granted.add(rule.slice(1));
      else
        for (const command of (await admin.call('ACL', 'CAT', rule.slice(2))) as string[])
          granted.add(command);
    }
    const used = [...BULLMQ_SCRIPTS.map(bullMqScript), ...ourScripts()].flatMap(commandsOf);
    expect(used.length).toBeGreaterThan(200);
    expect([...new Set(used)].filter((command) => !granted.has(command))).toEqual([]);
  });

  it.each(documented(user).filter((rule) => !rule.startsWith('+cluster')))(
    'that lack %s are found to lack that, and nothing else',
    async (rule) => {
      const rest = documented(user).filter((each) => each !== rule);
      expect(await missingWith(user, rest)).toEqual([rule]);
    },
  );

  it('lack what the server does not know, as where a provider has renamed it', async () => {
    const renamed = await RedisServer.start(
      ['--rename-command', 'ZADD', '', '--rename-command', 'TIME', ''],
      { flavour },
    );
    const client = createRedisClient({ kind: 'single', url: renamed.url }, user, () => {});
    clients.push(client);
    await isReady(client);
    expect((await missingRights(client, user)).sort()).toEqual(['+@sortedset', '+time']);
    await renamed.stop();
  });
});

it('with Redis Cluster the rights are tried on every master', async () => {
  const cluster = await RedisClusterServers.start();
  const admins = cluster.servers.map(({ url }) => new Redis(url));
  const setUser = (on: Redis, rules: readonly string[]) =>
    on.call('ACL', 'SETUSER', 'app', 'reset', 'on', '>secret', ...rules);
  try {
    for (const each of admins) await setUser(each, documented('writer'));
    const nodes = cluster.servers.map(({ port }) => ({ host: '127.0.0.1', port }));
    const client = createRedisClient(
      { kind: 'cluster', nodes, tls: false, username: 'app', password: 'secret' },
      'writer',
      () => {},
    );
    clients.push(client);
    await isReady(client);
    expect(await missingRights(client, 'writer')).toEqual([]);
    const [, second] = admins;
    const without = ['+@hash', '+cluster|info'];
    if (second !== undefined) {
      await setUser(
        second,
        documented('writer').filter((rule) => !without.includes(rule)),
      );
    }
    expect((await missingRights(client, 'writer')).sort()).toEqual(without);
  } finally {
    for (const each of admins) each.disconnect();
    await cluster.stop();
  }
});
