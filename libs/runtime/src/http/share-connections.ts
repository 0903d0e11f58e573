import type { Server, Socket } from 'node:net';
import { FairShares, networkOf } from '@ajs/platform';

/**
 * Lets a server have at most `max` connections, and each address at most its fair share of them. Further ones are closed on arrival;
 * `onRejected` is called for each. Behind a proxy all callers have its address.
 */
export function shareConnections(server: Server, max: number, onRejected: () => void): void {
  const shares = new FairShares(max);
  server.maxConnections = max;
  server.on('drop', onRejected);
  server.on('connection', (socket: Socket) => {
    const address = networkOf(socket.remoteAddress ?? '');
    if (shares.take(address)) socket.once('close', () => shares.release(address));
    else {
      onRejected();
      socket.destroy();
    }
  });
}
