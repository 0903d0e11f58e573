import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { eventually } from '@ajs/testing';
import { oneAtATime } from './one-at-a-time.js';

let server: Server;
let socket: Socket;
let received: string;
/** Connections that were closed. */
let closed: number;

afterEach(() => {
  socket.destroy();
  server.close();
});

async function serve(handler: RequestListener): Promise<void> {
  closed = 0;
  server = createServer(oneAtATime(handler, () => closed++)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  received = '';
  socket.on('data', (chunk: Buffer) => (received += chunk.toString()));
  socket.on('error', () => undefined);
}

/** Requests for `/0`, `/1` and so on, in one write. */
function pipeline(count: number): void {
  const requests = Array.from({ length: count }, (_, i) => `GET /${i} HTTP/1.1\r\nHost: a\r\n\r\n`);
  socket.write(requests.join(''));
}

const bodies = (): string[] => [...received.matchAll(/\r\n\r\n\/\d/g)].map(([body]) => body.trim());

describe('pipelined requests', () => {
  it('are handled one after the other, in their order', async () => {
    const finish: (() => void)[] = [];
    await serve((request, response) => finish.push(() => response.end(request.url)));
    pipeline(3);
    for (const handled of [1, 2, 3]) {
      await eventually('the next request is handled', () => finish.length === handled);
      expect(bodies()).toHaveLength(handled - 1);
      finish.at(-1)?.();
      await eventually('it has its response', () => bodies().length === handled);
    }
    expect(bodies()).toEqual(['/0', '/1', '/2']);
  });

  it('leave nothing behind: the next one is handled once it comes', async () => {
    await serve((request, response) => response.end(request.url));
    for (const handled of [1, 2, 3]) {
      pipeline(1);
      await eventually('it has its response', () => bodies().length === handled);
    }
  });

  it('leave a turn of the event loop to others between two of them', async () => {
    let turn = 0;
    const turns: number[] = [];
    await serve((request, response) => {
      turns.push(turn);
      setImmediate(() => turn++);
      response.end(request.url);
    });
    pipeline(5);
    await eventually('all have their response', () => bodies().length === 5);
    expect(turns).toEqual([0, 1, 2, 3, 4]);
  });

  it('close their connection where more than ten wait, which is reported', async () => {
    let handled = 0;
    await serve(() => handled++);
    pipeline(11);
    await eventually('the first is handled', () => handled === 1);
    expect([socket.closed, closed]).toEqual([false, 0]);
    pipeline(5);
    await eventually('the connection is closed', () => socket.closed);
    expect([handled, closed]).toEqual([1, 1]);
  });

  it('are not handled any more once their connection has closed', async () => {
    let handled = 0;
    await serve((_request, response) => {
      handled++;
      response.destroy();
    });
    pipeline(3);
    await eventually('the connection is closed', () => socket.closed);
    expect(handled).toBe(1);
  });
});
