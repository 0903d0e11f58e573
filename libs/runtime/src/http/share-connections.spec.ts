import { eventually } from '@ajs/testing';
import { connect, createServer, type AddressInfo, Socket, type Server } from 'node:net';
import { shareConnections } from './share-connections.js';

describe('the connections of a port', () => {
  let server: Server;
  let rejected: string[];
  const sockets: Socket[] = [];

  beforeEach(async () => {
    rejected = [];
    server = createServer((socket) => {
      sockets.push(socket);
      socket.on('error', () => undefined);
      // Once it is known whether it stays open.
      setImmediate(() => socket.write('welcome'));
    });
    shareConnections(server, 8, (limit) => rejected.push(limit));
    await new Promise<void>((resolve) => server.listen(0, '0.0.0.0', resolve));
  });
  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.destroy();
    server.close();
  });

  /** Resolves to whether the connection was served. */
  const connectFrom = (localAddress: string): Promise<boolean> =>
    new Promise((resolve) => {
      const { port } = server.address() as AddressInfo;
      const socket = connect({ host: '127.0.0.1', port, localAddress });
      sockets.push(socket);
      socket.on('data', () => resolve(true));
      socket.on('error', () => undefined);
      socket.on('close', () => resolve(false));
    });

  it('are not all given to one address, and count until they are closed', async () => {
    const flood: boolean[] = [];
    for (let i = 0; i < 20; i++) flood.push(await connectFrom('127.0.0.1'));
    expect(flood.filter(Boolean)).toHaveLength(6);
    expect(rejected).toEqual(Array(14).fill('share'));
    expect(await connectFrom('127.0.0.2')).toBe(true);
    for (const address of ['127.0.0.3', '127.0.0.4']) await connectFrom(address);
    expect(rejected.at(-1)).toBe('total');
    for (const socket of sockets) socket.destroy();
    await eventually('the address has its share again', () => connectFrom('127.0.0.1'));
  });

  it('are shared by all addresses of one network of IPv6', () => {
    const sockets = Array.from({ length: 8 }, (_, i) =>
      Object.defineProperty(new Socket(), 'remoteAddress', { value: `2001:db8::${i}` }),
    );
    for (const socket of sockets) server.emit('connection', socket);
    expect(rejected).toEqual(['share', 'share']);
    for (const socket of sockets) socket.destroy();
  });
});
