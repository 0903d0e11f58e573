import { eventually } from '@ajs/testing';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { shareConnections } from './share-connections.js';

describe('the connections of a port', () => {
  let server: Server;
  let rejected: number;
  const sockets: Socket[] = [];

  beforeEach(async () => {
    rejected = 0;
    server = createServer((socket) => {
      sockets.push(socket);
      socket.on('error', () => undefined);
      // Once it is known whether it stays open.
      setImmediate(() => socket.write('welcome'));
    });
    shareConnections(server, 8, () => rejected++);
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
    expect(rejected).toBe(14);
    expect(await connectFrom('127.0.0.2')).toBe(true);
    for (const socket of sockets) socket.destroy();
    await eventually('the address has its share again', () => connectFrom('127.0.0.1'));
  });
});
