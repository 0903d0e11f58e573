import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { eventually } from '@ajs/testing';
import { TcpGate } from './tcp-gate.js';

let echo: Server;
let gate: TcpGate;
const callers: Caller[] = [];

class Caller {
  received = '';
  closed = false;
  private readonly socket: Socket;

  constructor() {
    callers.push(this);
    const [host, port] = gate.address.split(':');
    this.socket = connect(Number(port), host);
    this.socket.on('data', (bytes: Buffer) => (this.received += bytes.toString()));
    this.socket.on('error', () => undefined);
    this.socket.on('close', () => (this.closed = true));
  }

  say(text: string): void {
    this.socket.write(text);
  }

  hears(text: string): Promise<true> {
    return eventually(`"${text}" is received`, () => this.received === text);
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
  it('forwards bytes and knows the ports that the server sees', async () => {
    const caller = new Caller();
    caller.say('hello');
    await caller.hears('hello');
    expect(gate.ports.size).toBe(1);
  });

  it('resets and refuses connections while it is closed, and reopens on the same port', async () => {
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

  it('accepts and keeps connections while it is silent, and delivers their bytes afterwards', async () => {
    const before = new Caller();
    before.say('a');
    await before.hears('a');
    gate.setSilent(true);
    const during = new Caller();
    before.say('b');
    during.say('c');
    const other = new Caller();
    other.say('d');
    // Whatever could have arrived has arrived by now.
    await new Promise((resolve) => setImmediate(resolve));
    expect([before.received, during.received, before.closed, during.closed]).toEqual(['a', '', false, false]);
    gate.setSilent(false);
    await Promise.all([before.hears('ab'), during.hears('c'), other.hears('d')]);
  });

  it('stays open for new connections after a reset', async () => {
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
