import { JobId } from '@ajs/job-state';
import { RedisServer, eventually } from '@ajs/testing';
import type { Redis } from 'ioredis';
import { RedisJobLister } from '../redis/redis-lister.js';
import { createRedisClient } from './redis-client.js';

it('reads of job states are sent together, in the turn of the event loop that asks for them', async () => {
  const server = await RedisServer.start();
  const client = createRedisClient({ kind: 'single', url: server.url }, 'reader', () => undefined) as Redis;
  try {
    await eventually('it is ready', () => client.status === 'ready');
    const lister = new RedisJobLister(client);
    const [before, corked] = [client.stream.bytesWritten, [] as number[]];
    const views = ['a', 'b'].map((jobSetId) => {
      const view = lister.read({ queue: 'q', jobSetId }, [JobId('j')]);
      corked.push(client.stream.writableCorked);
      return view;
    });
    await new Promise<void>((resolve) => process.nextTick(resolve));
    corked.push(client.stream.writableCorked);
    expect(corked).toEqual([1, 1, 0]);
    expect(client.stream.bytesWritten).toBeGreaterThan(before);
    expect((await Promise.all(views)).map(({ jobs }) => jobs.size)).toEqual([0, 0]);
  } finally {
    client.disconnect();
    await server.stop();
  }
});
