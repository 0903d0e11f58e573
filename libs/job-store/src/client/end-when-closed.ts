import type { Redis } from 'ioredis';

/**
 * Has a client of the master behind Sentinel end only when it is closed. By itself ioredis also ends it for good where the sentinels
 * announce a new master in the moment in which it asks them for one, since it has lost the old one.
 */
export function endWhenClosed(client: Redis): void {
  const disconnect = client.disconnect.bind(client);
  const quit = client.quit.bind(client);
  const duplicate = client.duplicate.bind(client);
  let isClosed = false;
  client.disconnect = (reconnect = false) => {
    if (!reconnect) isClosed = true;
    disconnect(reconnect);
  };
  client.quit = (...args) => {
    isClosed = true;
    return quit(...args);
  };
  // As BullMQ does for the connection that waits for work.
  client.duplicate = (options) => {
    const copy = duplicate(options);
    endWhenClosed(copy);
    return copy;
  };
  client.on('end', () => {
    // Its errors are emitted, too.
    if (!isClosed) client.connect().catch(() => undefined);
  });
}
