import { RedisClusterServers, RedisServer, eventually, redisFlavours } from '@ajs/testing';
import { Redis } from 'ioredis';
import { createRedisClient } from './redis-client.js';
import { redisErrorKind, writeRefusalOf, type WriteRefusal } from './redis-errors.js';

const FLAVOURS = await redisFlavours();
const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

async function startRedis(...args: string[]): Promise<{ server: RedisServer; redis: Redis }> {
  const server = await RedisServer.start(args);
  cleanUps.push(() => server.stop());
  return { server, redis: connect(server) };
}

function connect(server: RedisServer): Redis {
  const redis = new Redis(server.url, { maxRetriesPerRequest: 0, retryStrategy: null });
  redis.on('error', () => {});
  cleanUps.push(() => redis.disconnect());
  return redis;
}

/** What the call rejected with; the test fails if it did not. */
async function rejection(call: Promise<unknown>): Promise<Error> {
  try {
    await call;
  } catch (error) {
    if (error instanceof Error) return error;
  }
  throw new Error('the call did not reject with an error');
}

describe('the kind of an error of Redis', () => {
  it.each([
    ['unavailable', 'Connection is closed.'],
    ['unavailable', "Stream isn't writeable and enableOfflineQueue options is false"],
    ['unavailable', "Cluster isn't ready and enableOfflineQueue options is false"],
    ['unavailable', 'Command timed out'],
    ['unavailable', 'Command aborted due to connection close'],
    ['unavailable', "Socket timeout. Expecting data, but didn't receive any in 3000ms."],
    ['unavailable', 'connect ETIMEDOUT'],
    ['unavailable', 'None of startup nodes is available'],
    ['unavailable', 'All sentinels are unreachable. Retrying from scratch after 50ms.'],
    ['unavailable', 'Too many Cluster redirections. Last error: ReplyError: MOVED 1 10.0.0.1:6379'],
    ['unavailable', 'CLUSTERDOWN The cluster is down'],
    ['unavailable', 'TRYAGAIN Multiple keys request during rehashing of slot'],
    ['unavailable', 'MOVED 866 10.0.0.1:6379'],
    ['unavailable', 'ASK 866 10.0.0.1:6379'],
    ['unavailable', 'ERR max number of clients reached'],
    ['unavailable', 'Cluster is disconnected.'],
    ['unavailable', 'Node is disconnected'],
    ['unavailable', 'no node of Redis Cluster can be used: failed'],
    ['unavailable', 'timeout'],
    ['unavailable', 'ERR Error running script (call to f_1): @user_script:1: -LOADING Redis is loading'],
    ['write-refused', 'MISCONF Redis is configured to save RDB snapshots'],
    ['write-refused', 'NOREPLICAS Not enough good replicas to write.'],
    ['denied', 'NOAUTH Authentication required.'],
    [
      'denied',
      'All sentinels are unreachable. Retrying from scratch after 50ms. Last error: WRONGPASS invalid',
    ],
    ['unexpected', 'the timeout'],
    ['unexpected', 'an error whose text has LOADING in it'],
  ])('is %s for the message "%s"', (kind, message) => {
    expect(redisErrorKind(new Error(message))).toBe(kind);
  });

  it('is found by the name and the code of an error, and in what caused it', () => {
    const kindOf = (more: object): string => redisErrorKind(Object.assign(new Error('failed'), more));
    expect(kindOf({ name: 'MaxRetriesPerRequestError' })).toBe('unavailable');
    expect(kindOf({ name: 'ClusterAllFailedError' })).toBe('unavailable');
    expect(kindOf({ cause: new Error('Connection is closed.') })).toBe('unavailable');
    const allFailed = { name: 'ClusterAllFailedError' };
    expect(kindOf({ ...allFailed, lastNodeError: new Error('timeout') })).toBe('unavailable');
    expect(kindOf({ ...allFailed, lastNodeError: new Error('NOAUTH Authentication required.') })).toBe(
      'denied',
    );
  });

  it.each([
    'ECONNREFUSED',
    'ECONNRESET',
    'ECONNABORTED',
    'EPIPE',
    'ETIMEDOUT',
    'EHOSTUNREACH',
    'EHOSTDOWN',
    'ENETUNREACH',
    'ENETDOWN',
    'ENOTFOUND',
    'EAI_AGAIN',
  ])('is unavailable for a socket that fails with %s', (code) => {
    expect(redisErrorKind(Object.assign(new Error('failed'), { code }))).toBe('unavailable');
  });

  it('is unexpected for an error that Redis did not cause', () => {
    const noFile = Object.assign(new Error('no such file'), { code: 'ENOENT' });
    const aborted = new DOMException('This operation was aborted', 'AbortError');
    for (const error of [
      new TypeError('x is undefined'),
      aborted,
      noFile,
      'Connection is closed.',
      undefined,
    ]) {
      expect(redisErrorKind(error)).toBe('unexpected');
    }
  });

  it.each(FLAVOURS)(
    'is found in what a server (%s) says, to a command and to a script alike',
    async (flavour) => {
      const server = await RedisServer.start([], { flavour });
      cleanUps.push(() => server.stop());
      const redis = connect(server);
      const set = (): Promise<Error> => rejection(redis.set('a', '1'));
      const setInScript = (): Promise<Error> =>
        rejection(redis.eval("return redis.call('SET', KEYS[1], 1)", 1, 'a'));
      const errors = (): Promise<Error[]> => Promise.all([set(), setInScript()]);
      const kinds = async (): Promise<string[]> => (await errors()).map(redisErrorKind);
      const expectRefusal = async (reason: WriteRefusal): Promise<void> => {
        expect(await kinds()).toEqual(['write-refused', 'write-refused']);
        expect((await errors()).map(writeRefusalOf)).toEqual([reason, reason]);
      };

      await redis.config('SET', 'maxmemory', '1');
      await expectRefusal('out-of-memory');
      await redis.config('SET', 'maxmemory', '0');
      await redis.config('SET', 'min-replicas-to-write', '1');
      await expectRefusal('too-few-replicas');
      await redis.config('SET', 'min-replicas-to-write', '0');
      await redis.replicaof('127.0.0.1', 1);
      await expectRefusal('read-only');
      await redis.replicaof('NO', 'ONE');
      await redis.lpush('list', '1');
      expect(redisErrorKind(await rejection(redis.get('list')))).toBe('unexpected');
      expect(
        redisErrorKind(await rejection(redis.eval("return redis.call('GET', KEYS[1])", 1, 'list'))),
      ).toBe('unexpected');
      expect(redisErrorKind(await rejection(redis.eval('return nil + 1', 0)))).toBe('unexpected');

      await redis.call('ACL', 'SETUSER', 'reader', 'on', '>secret', '~*', '+@read', '+eval');
      await redis.call('AUTH', 'reader', 'secret');
      expect(await kinds()).toEqual(['denied', 'denied']);
      expect(redisErrorKind(await rejection(redis.call('AUTH', 'reader', 'another')))).toBe('denied');
    },
  );

  it('is unavailable where a server is a replica that has lost its master, and must not answer without', async () => {
    const { redis } = await startRedis();
    await redis.replicaof('127.0.0.1', 1);
    await redis.config('SET', 'replica-serve-stale-data', 'no');
    const masterDown = await rejection(redis.get('a'));
    expect([masterDown.message.split(' ')[0], redisErrorKind(masterDown)]).toEqual([
      'MASTERDOWN',
      'unavailable',
    ]);
  });

  it('is unavailable while a server runs a script that does not end', async () => {
    const { server, redis } = await startRedis();
    await redis.config('SET', 'busy-reply-threshold', '10');
    const other = connect(server);
    await other.ping();
    const script = redis.eval('while true do end', 0).catch(() => {});
    const busy = await eventually('it says that it is busy', () =>
      other.get('a').then(
        () => undefined,
        (error: unknown) => error as Error,
      ),
    );
    await other.script('KILL');
    await script;
    expect([busy.message.split(' ')[0], redisErrorKind(busy)]).toEqual(['BUSY', 'unavailable']);
  });

  it('is unavailable while a server loads its data', async () => {
    const { server, redis } = await startRedis('--enable-debug-command', 'yes');
    const values = Array.from({ length: 200 }, (_, i) => [`key:${i}`, 'v'.repeat(2_000)]);
    await redis.mset(...values.flat());
    await redis.config('SET', 'key-load-delay', '5000');
    await redis.config('SET', 'loading-process-events-interval-bytes', '1024');
    const other = connect(server);
    await other.ping();
    const reload = redis.call('DEBUG', 'RELOAD');
    const loading = await eventually('it says that it loads', () =>
      other.get('key:1').then(
        () => undefined,
        (error: unknown) => error as Error,
      ),
    );
    await reload;
    expect([loading.message.split(' ')[0], redisErrorKind(loading)]).toEqual(['LOADING', 'unavailable']);
  });

  it.each(['reader', 'writer'] as const)('is unavailable for a %s whose server has gone', async (role) => {
    const { server } = await startRedis();
    const client = createRedisClient({ kind: 'single', url: server.url }, role, () => {});
    cleanUps.push(() => client.disconnect());
    await eventually('connected', () => client.ping().catch(() => undefined));
    await server.kill();
    expect(redisErrorKind(await rejection(client.get('a')))).toBe('unavailable');
    client.disconnect();
    expect(redisErrorKind(await rejection(client.get('a')))).toBe('unavailable');
  });

  it('is unavailable for a Redis Cluster whose master has gone', async () => {
    const cluster = await RedisClusterServers.start();
    cleanUps.push(() => cluster.stop());
    const nodes = cluster.servers.map(({ port }) => ({ host: '127.0.0.1', port }));
    const client = createRedisClient({ kind: 'cluster', nodes, tls: false }, 'reader', () => {});
    cleanUps.push(() => client.disconnect());
    await eventually('connected', () =>
      client.get('a').then(
        () => true,
        () => false,
      ),
    );
    await (await cluster.masterOf('a')).kill();
    expect(redisErrorKind(await rejection(client.get('a')))).toBe('unavailable');
  }, 60_000);
});
