import { completesWithin } from '@ajs/platform';
import { RedisServer, eventually } from '@ajs/testing';
import { Redis } from 'ioredis';
import { createRedisClient, isReady, type ClientRole, type RedisClient } from './redis-client.js';

let server: RedisServer;
let admin: Redis;
let errors: string[];
const clients: RedisClient[] = [];

beforeEach(async () => {
  errors = [];
  server = await RedisServer.start();
  admin = new Redis(server.url);
  admin.on('error', () => undefined);
});
afterEach(async () => {
  for (const client of clients.splice(0)) client.disconnect();
  admin.disconnect();
  await server.stop();
});

async function connect(role: ClientRole): Promise<RedisClient> {
  const client = createRedisClient({ kind: 'single', url: server.url }, role, ({ message }) =>
    errors.push(message),
  );
  clients.push(client);
  await isReady(client);
  return client;
}

/** How often a client has tried to connect again since. */
function reconnectsOf(client: RedisClient): () => number {
  let count = 0;
  client.on('reconnecting', () => count++);
  return () => count;
}

async function goAway(client: RedisClient): Promise<void> {
  await server.kill();
  await eventually('the connection is lost', () => client.status !== 'ready');
}

describe('a client of Redis', () => {
  it('shows there what it is used for, and nothing of its library, which Redis 7.0 would not take', async () => {
    const info = String(await (await connect('reader')).call('CLIENT', 'INFO'));
    expect(info).toContain(' name=armada-job-service-reader ');
    expect(info).not.toContain('ioredis');
  });

  it('is ready as soon as it takes commands, and no sooner', async () => {
    const client = await connect('reader');
    expect(await completesWithin(30_000, isReady(client))).toBe(true);
    await goAway(client);
    let isThere = false;
    const ready = isReady(client).then(() => (isThere = true));
    const reconnects = reconnectsOf(client);
    await eventually('it tried to connect', () => reconnects() > 0);
    expect(isThere).toBe(false);
    await server.restart();
    expect(await completesWithin(30_000, ready)).toBe(true);
  });

  it('says why it cannot connect', async () => {
    await goAway(await connect('reader'));
    await eventually('the error is reported', () =>
      errors.some((message) => message.includes('ECONNREFUSED')),
    );
  });
});

describe('a command of a server that has gone', () => {
  it('is rejected at once for a poll, be it on its way or not', async () => {
    const client = await connect('reader');
    const onItsWay = client.call('BLPOP', 'list', '0');
    const rejected = expect(onItsWay).rejects.toThrow('max retries per request limit (which is 0)');
    await goAway(client);
    await rejected;
    await expect(client.get('a')).rejects.toThrow("Stream isn't writeable");
  });

  it('is rejected after a few tries for an owner, who tries it again', async () => {
    const client = await connect('writer');
    await goAway(client);
    await expect(client.get('a')).rejects.toThrow('max retries per request limit (which is 2)');
  });

  it('waits for as long as it takes for the work queue', async () => {
    const client = await connect('work-queue');
    const reconnects = reconnectsOf(client);
    await goAway(client);
    const answer = client.ping();
    await eventually('it tried to connect more often than others try a command', () => reconnects() > 3);
    await server.restart();
    expect(await answer).toBe('PONG');
  });
});

it('a command that Redis does not answer for more than 5 s is one of the work queue: its workers wait up to 10 s', async () => {
  const [queue, writer] = [await connect('work-queue'), await connect('writer')];
  await admin.call('CLIENT', 'PAUSE', '6000', 'ALL');
  const [ofQueue, ofWriter] = await Promise.allSettled([queue.ping(), writer.ping()]);
  expect(ofQueue).toEqual({ status: 'fulfilled', value: 'PONG' });
  expect(ofWriter).toMatchObject({ status: 'rejected', reason: { message: 'Command timed out' } });
}, 30_000);

it.each(['subscriber', 'work-queue'] as const)(
  'a %s does not subscribe again by itself, where nobody would hear that Redis denies it',
  async (role) => {
    const subscriber = await connect(role);
    await subscriber.subscribe('before');
    await subscriber.ssubscribe('before');
    const reconnects = reconnectsOf(subscriber);
    await admin.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await eventually('it is connected again', () => reconnects() > 0 && subscriber.status === 'ready');
    await subscriber.subscribe('after');
    await subscriber.ssubscribe('after');
    expect(await admin.call('PUBSUB', 'NUMSUB', 'before', 'after')).toEqual(['before', 0, 'after', 1]);
    expect(await admin.call('PUBSUB', 'SHARDNUMSUB', 'before', 'after')).toEqual(['before', 0, 'after', 1]);
  },
);

describe('a server that is not the master any more', () => {
  it('is left by an owner, whose command is sent to the next one', async () => {
    const client = await connect('writer');
    const reconnects = reconnectsOf(client);
    await admin.replicaof('127.0.0.1', 1);
    const written = client.set('a', 'b');
    await eventually('the connection is replaced', () => reconnects() > 0);
    await admin.replicaof('NO', 'ONE');
    expect(await written.catch(() => client.set('a', 'b'))).toBe('OK');
  });

  it('is left by a query, whose command is rejected', async () => {
    const client = await connect('reader');
    const reconnects = reconnectsOf(client);
    await admin.replicaof('127.0.0.1', 1);
    await expect(client.set('a', 'b')).rejects.toThrow('READONLY');
    await eventually('the connection is replaced', () => reconnects() > 0);
  });
});
