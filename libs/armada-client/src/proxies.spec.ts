import { jest } from '@jest/globals';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { anonymous, withoutTls } from '@ajs/armada-credentials';
import { EventService } from '@ajs/contracts/api/event';
import { Cursor } from '@ajs/job-state';
import type { StreamEnd } from '@ajs/subscriptions';
import { ConnectProxy, FakeArmada, eventually, freePort } from '@ajs/testing';
import { setLogger } from '@grpc/grpc-js';
import { createArmadaClient, createForwardingChannels, type ArmadaClient } from './index.js';
import { callUnary } from './unary-call.js';

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

function clientOf(to: string, identity = anonymous): ArmadaClient {
  const client = createArmadaClient({
    transport: withoutTls(to),
    identity,
    maxMessageBytes: 1_000_000,
    callsPerSecond: 20,
  });
  clients.push(client);
  return client;
}

/** How a watch of a queue ends. */
async function endOfWatch(client: ArmadaClient, queue = 'q'): Promise<StreamEnd> {
  const ends: StreamEnd[] = [];
  const counter = { unknownKind: () => undefined, malformed: () => undefined };
  client
    .events(counter)
    .open(
      { key: { queue, jobSetId: 's' }, from: Cursor(''), watch: true },
      { message: () => undefined, end: (end) => ends.push(end) },
    );
  return eventually('the stream ends', () => ends[0]);
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
    const end = await endOfWatch(client);
    expect(end.reason).toContain(named);
    expect(end.reason).not.toContain('secret');
    const forwarding = createForwardingChannels(withoutTls('armada.example:50051'), 1_000);
    await expect(callUnary(forwarding, EventService.health, {}, 5_000)).rejects.toThrow(named);
    forwarding.close();
  });

  it('is named where it leads to no connection in time', async () => {
    const sockets: Socket[] = [];
    const silent = createServer((socket) => sockets.push(socket));
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`;
    process.env['https_proxy'] = url;
    const timers = jest.spyOn(globalThis, 'setTimeout');
    const end = endOfWatch(clientOf('armada.example:50051'));
    // As after 5 s.
    timers.mock.calls.find(([, ms]) => ms === 5_000)?.[0]();
    timers.mockRestore();
    expect((await end).reason).toBe(
      `no connection to Armada within 5 s (through the proxy ${url}, set by https_proxy)`,
    );
    for (const socket of sockets) socket.destroy();
    silent.close();
  });

  it('is not named where Armada has answered, nor where there was no credential to call it with', async () => {
    const proxy = new ConnectProxy(Number(address.split(':')[1]));
    process.env['https_proxy'] = await proxy.listen();
    const to = 'armada.example:50051';
    expect((await endOfWatch(clientOf(to), 'nope')).reason).toBe(
      'NOT_FOUND: [GetJobSetEvents] Queue nope does not exist',
    );
    const authorization = (): Promise<string> => Promise.reject(new Error('there is no token'));
    const failure = clientOf(to, { ...anonymous, authorization }).health();
    await expect(failure).rejects.toThrow('there is no token');
    await expect(failure).rejects.not.toThrow('through the proxy');
    proxy.stop();
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
