import { jest } from '@jest/globals';
import { RedisServer, eventually } from '@ajs/testing';
import type { Redis } from 'ioredis';
import { createRedisClient } from './redis-client.js';

it.each(['reader', 'writer'] as const)(
  'commands of a %s leave with one write, in the turn of the event loop that sends them, whatever is not answered yet',
  async (role) => {
    const server = await RedisServer.start();
    const client = createRedisClient({ kind: 'single', url: server.url }, role, () => undefined) as Redis;
    try {
      await eventually('it is ready', () => client.status === 'ready');
      const writes = jest.spyOn(client.stream, '_writev');
      const answers: Promise<unknown>[] = [];
      for (const [turn, texts] of [
        ['a', 'b'],
        ['c', 'd', 'e'],
      ].entries()) {
        answers.push(...texts.map((text) => client.ping(text)));
        expect(writes).toHaveBeenCalledTimes(turn);
        // Still in this turn: no answer can have come.
        await new Promise<void>((resolve) => process.nextTick(resolve));
        expect(writes).toHaveBeenCalledTimes(turn + 1);
      }
      expect(await Promise.all(answers)).toEqual(['a', 'b', 'c', 'd', 'e']);
    } finally {
      client.disconnect();
      await server.stop();
    }
  },
);
