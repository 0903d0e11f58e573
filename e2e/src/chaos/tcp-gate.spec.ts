import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { eventually } from '@ajs/testing';
import { TcpGate } from './tcp-gate.js';

let echo: Server;
let gate: TcpGate;
const callers: Caller[] = [];

class Caller {
  heard = '';
  closed = false;
  private readonly socket: Socket;

  constructor() {
    callers.push(this);
    const [host, port] = gate.address.split(':');
    this.socket = connect(Number(port), host);
    this.socket.on('data', (bytes: Buffer) => (this.heard += bytes.toString()));
    this.socket.on('error', () => undefined);
    this.socket.on('close', () => (this.closed = true));
  }

  say(text: string): void {
    this.socket.write(text);
  }

  hears(text: string): Promise<true> {
    return eventually(`"${text}" is heard`, () => this.heard === text);
  }

  isClosed(): Promise<true> {
    return eventually('it is closed', () => this.closed);
  }

  end(): void {
    this.socket.destroy();
  }
}

beforeAll(async () => {
  echo = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.pipe(socket);
  });
  await new Promise<void>((resolve) => echo.listen(0, '127.0.0.1', resolve));
});
beforeEach(async () => {
  gate = await TcpGate.to((echo.address() as AddressInfo).port);
});
afterEach(async () => {
  for (const caller of callers.splice(0)) caller.end();
  await gate.close();
});
afterAll(() => echo.close());

describe('a gate', () => {
  it('lets through, and knows how the server sees who came', async () => {
    const caller = new Caller();
    caller.say('hello');
    await caller.hears('hello');
    expect(gate.ports.size).toBe(1);
  });

  it('that is closed resets and refuses, until it is open again at the same place', async () => {
    const before = new Caller();
    before.say('a');
    await before.hears('a');
    await gate.close();
    await before.isClosed();
    const during = new Caller();
    await during.isClosed();
    await gate.reopen();
    const after = new Caller();
    after.say('b');
    await after.hears('b');
  });

  it('that is silent accepts and keeps connections; what was said comes through afterwards', async () => {
    const before = new Caller();
    before.say('a');
    await before.hears('a');
    gate.setSilent(true);
    const during = new Caller();
    before.say('b');
    during.say('c');
    const other = new Caller();
    other.say('d');
    // All that could come has come: nothing did.
    await new Promise((resolve) => setImmediate(resolve));
    expect([before.heard, during.heard, before.closed, during.closed]).toEqual(['a', '', false, false]);
    gate.setSilent(false);
    await Promise.all([before.hears('ab'), during.hears('c'), other.hears('d')]);
  });

  it('that is reset stays open for new connections', async () => {
    const before = new Caller();
    before.say('a');
    await before.hears('a');
    gate.reset();
    await before.isClosed();
    const after = new Caller();
    after.say('b');
    await after.hears('b');
  });
});
