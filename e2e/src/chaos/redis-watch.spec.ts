import { Cursor } from '@ajs/job-state';
import { RedisJobSink, createRedisClient, type RedisClient } from '@ajs/job-store';
import { RedisServer, eventually } from '@ajs/testing';
import { checkWrites } from './check-writes.js';
import { RedisWatch } from './redis-watch.js';
import { TcpGate } from './tcp-gate.js';

const KEY = { queue: 'q', jobSetId: 's' };
const META = 'ajs:{q/s}:meta';
const CURSOR = Cursor('5:0:0:1');

let server: RedisServer;
let gate: TcpGate;
let redis: RedisClient;
let watch: RedisWatch;

beforeAll(async () => {
  server = await RedisServer.start();
  gate = await TcpGate.to(server.port);
  redis = createRedisClient({ kind: 'single', url: `redis://${gate.address}` }, 'writer', () => undefined);
  watch = new RedisWatch(server.port, (port) => (gate.ports.has(port) ? 'the owner' : undefined));
  await watch.start();
});
afterAll(async () => {
  watch.stop();
  redis.disconnect();
  await gate.close();
  await server.stop();
});

/** A change is complete when the next command arrives. */
const changes = (count: number) =>
  eventually(`${count} changes`, async () => {
    await redis.hget(META, 'x');
    return watch.changes.length === count && watch.changes;
  });

describe('a change of a meta', () => {
  it('shows who wrote, what was there, and what the writer expected', async () => {
    const sink = new RedisJobSink(redis, {
      ttlSeconds: 60,
      onLost: () => undefined,
      onKept: () => undefined,
      onUnreadable: () => undefined,
    });
    const writer = await sink.open(KEY);
    await writer.write({ cursor: CURSOR, records: new Map(), subscription: { state: 'live', reason: '' } });
    const [begun, written] = await changes(2);
    expect(begun).toMatchObject({ jobSet: META, by: 'the owner', via: 'script', after: { cursor: '' } });
    const generation = begun?.after?.generation ?? '';
    expect(written).toMatchObject({
      by: 'the owner',
      via: 'script',
      before: { generation, cursor: '', revision: '1' },
      after: { generation, cursor: CURSOR },
      expected: { generation, cursor: '', revision: '1' },
    });
    expect(checkWrites(watch.changes)).toEqual([]);
  });

  it('shows whether a command or a script wrote, and that a meta was deleted', async () => {
    await redis.hset(META, 'cursor', '6:0:0:1');
    await redis.del(META);
    const [, written, moved, gone] = await changes(4);
    expect(moved).toMatchObject({
      via: 'command',
      after: { cursor: '6:0:0:1', revision: written?.after?.revision },
    });
    expect(gone?.before?.cursor).toBe('6:0:0:1');
    expect(gone?.after).toBeUndefined();
  });
});
