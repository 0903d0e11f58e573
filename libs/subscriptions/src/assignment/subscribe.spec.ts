import { createRedisClient } from '@ajs/job-store';
import { completesWithin } from '@ajs/platform';
import { RedisServer, eventually } from '@ajs/testing';
import { Redis } from 'ioredis';
import { keepSubscribed } from './subscribe.js';

const CHANNEL = 'channel';
const ignore = (): void => undefined;
const cleanUps: (() => unknown)[] = [];
let server: RedisServer;
let admin: Redis;

beforeEach(async () => {
  server = await RedisServer.start(['--busy-reply-threshold', '1']);
  cleanUps.push(() => server.stop());
  admin = connected();
  await admin.ping();
});

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

function connected(): Redis {
  const client = new Redis(server.url);
  client.on('error', ignore);
  cleanUps.push(() => client.disconnect());
  return client;
}

/** A process that begins to listen, and why it could not at once. */
function listening() {
  const refusals: string[] = [];
  const refused = ({ message }: Error): void => void refusals.push(message);
  const client = createRedisClient({ kind: 'single', url: server.url }, 'work-queue', refused);
  cleanUps.push(() => client.disconnect());
  const subscribed = keepSubscribed(client, CHANNEL, refused);
  subscribed.catch(ignore);
  return { client, subscribed, refusals };
}

const listeners = async (): Promise<number> => admin.publish(CHANNEL, '');

describe('a subscription', () => {
  it('begins once Redis is not busy with a long script any more', async () => {
    connected().eval('while true do end', 0).catch(ignore);
    cleanUps.push(() => admin.script('KILL').catch(ignore));
    await eventually('Redis is busy', () =>
      admin.ping().then(
        () => false,
        () => true,
      ),
    );
    const { subscribed, refusals } = listening();
    await eventually('it is refused', () => refusals.some((why) => why.startsWith('BUSY')));
    await admin.script('KILL');
    await subscribed;
    expect(await listeners()).toBe(1);
  });

  it('is given up once its client is closed', async () => {
    const { client, subscribed } = listening();
    client.disconnect();
    await expect(completesWithin(30_000, subscribed)).rejects.toThrow('Connection is closed');
  });
});
