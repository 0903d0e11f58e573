import { createRedisClient } from '@ajs/job-store';
import { createLog } from '@ajs/observability';
import { RedisServer } from '@ajs/testing';
import { Redis } from 'ioredis';
import { RedisRights } from './redis-rights.js';

it('rights that are still being looked at when the process closes are not reported any more', async () => {
  const server = await RedisServer.start();
  const admin = new Redis(server.url);
  await admin.call('ACL', 'SETUSER', 'app', 'on', '>secret', '~*', '&*', '+@all', '-time');
  const url = `redis://app:secret@127.0.0.1:${server.port}`;
  const client = createRedisClient({ kind: 'single', url }, 'writer', () => undefined);
  const lines: string[] = [];
  const log = createLog('app', 'info', { write: (line) => lines.push(line) });
  const rights = new RedisRights(client, 'writer', log);
  const looked = rights.start();
  rights.close();
  await looked;
  expect(lines).toEqual([]);
  client.disconnect();
  admin.disconnect();
  await server.stop();
});
