import { anonymous, withoutTls } from '@ajs/armada-credentials';
import { Cursor } from '@ajs/job-state';
import type { StreamEnd } from '@ajs/subscriptions';
import { ConnectProxy, FakeArmada, eventually, freePort } from '@ajs/testing';
import { setLogger } from '@grpc/grpc-js';
import { createArmadaClient, type ArmadaClient } from './index.js';

let armada: FakeArmada;
let address: string;
const clients: ArmadaClient[] = [];
const before = { ...process.env };

// grpc-js logs each failed attempt, also after a test.
beforeAll(() => setLogger({ error: () => undefined }));
beforeEach(async () => {
  armada = new FakeArmada();
  address = await armada.listen('127.0.0.1:0');
});
afterEach(() => {
  process.env = { ...before };
  for (const client of clients.splice(0)) client.close();
  armada.stop();
});

function clientOf(to: string): ArmadaClient {
  const client = createArmadaClient({
    transport: withoutTls(to),
    identity: anonymous,
    maxMessageBytes: 1_000_000,
    callsPerSecond: 20,
  });
  clients.push(client);
  return client;
}

describe('a proxy that the environment names', () => {
  it('is gone through, with its login', async () => {
    const proxy = new ConnectProxy(Number(address.split(':')[1]));
    process.env['https_proxy'] = (await proxy.listen()).replace('//', '//user:secret@');
    await clientOf('armada.example:50051').health();
    expect(proxy.targets).toEqual(['armada.example:50051']);
    expect(proxy.logins).toEqual([`Basic ${Buffer.from('user:secret').toString('base64')}`]);
    proxy.stop();
  });

  it('is named in the errors of calls and streams that do not get through, without its login', async () => {
    const url = `http://127.0.0.1:${await freePort()}`;
    process.env['https_proxy'] = url.replace('//', '//user:secret@');
    const client = clientOf('armada.example:50051');
    const named = `through the proxy ${url}, set by https_proxy`;
    await expect(client.health()).rejects.toThrow(named);
    await expect(client.health()).rejects.not.toThrow('secret');
    const ends: StreamEnd[] = [];
    const counter = { unknownKind: () => undefined, malformed: () => undefined };
    client
      .events(counter)
      .open(
        { key: { queue: 'q', jobSetId: 's' }, from: Cursor(''), watch: true },
        { message: () => undefined, end: (end) => ends.push(end) },
      );
    const end = await eventually('the stream ends', () => ends[0]);
    expect(end.reason).toContain(named);
    expect(end.reason).not.toContain('secret');
  });

  it.each(['no_proxy', 'no_grpc_proxy'])('is gone through although a comma ends %s', async (variable) => {
    const proxy = new ConnectProxy(Number(address.split(':')[1]));
    process.env['https_proxy'] = await proxy.listen();
    process.env[variable] = 'other.example, ,';
    await clientOf('armada.example:50051').health();
    expect(proxy.targets).toEqual(['armada.example:50051']);
    proxy.stop();
  });

  it('is not asked for loopback', async () => {
    process.env['https_proxy'] = `http://127.0.0.1:${await freePort()}`;
    await expect(clientOf(address).health()).resolves.toBeUndefined();
    await expect(clientOf(address.replace('127.0.0.1', 'localhost')).health()).resolves.toBeUndefined();
  });
});
