import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { eventually } from '@ajs/testing';
import { StaticBody } from './static-body.js';

let server: Server;
let socket: Socket;

afterEach(() => {
  socket.destroy();
  server.close();
});

it('a caller that does not read has at most some pieces of the body waiting for it', async () => {
  const body = new StaticBody(Buffer.alloc(32 * 1024 * 1024), 'text/plain');
  let response: ServerResponse | undefined;
  let sent: Promise<unknown> | undefined;
  server = createServer((request, given) => {
    response = given;
    sent = body.send(Object.assign(request, { fresh: false }), given);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  socket = connect((server.address() as AddressInfo).port, '127.0.0.1').pause();
  socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  const waiting = await eventually('some of it waits', () => response?.writableLength || undefined);
  expect(waiting).toBeLessThan(1024 * 1024);
  socket.destroy();
  await sent;
});
