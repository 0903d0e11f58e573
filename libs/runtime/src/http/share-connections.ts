import type { Server, Socket } from 'node:net';
import { FairShares, networkOf } from '@ajs/platform';

/** Called for each rejected connection, with what was used up: the share of its address, or the whole limit. */
export type ConnectionRejected = (limit: 'share' | 'total') => void;

/**
 * Lets a server have at most `max` connections, and each address at most its fair share of them. Further ones are closed on arrival.
 * Behind a proxy all callers have its address.
 */
export function shareConnections(server: Server, max: number, onRejected: ConnectionRejected): void {
  const shares = new FairShares(max);
  server.on('connection', (socket: Socket) => {
    const address = networkOf(socket.remoteAddress ?? '');
    if (shares.take(address)) socket.once('close', () => shares.release(address));
    else {
      onRejected(shares.free > 0 ? 'share' : 'total');
      socket.destroy();
    }
  });
}
