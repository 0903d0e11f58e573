import { createServer } from 'node:net';

/**
 * Below the ports that systems give to whoever asks for any: what listens at one of these can be stopped and started again there, however
 * many others begin to listen meanwhile. The bus of a Redis Cluster is 10,000 above its node's port, and below them as well.
 */
const [FIRST, LAST] = [12_000, 21_999];

/** Counts on from anywhere, so that it gives no port twice, and other processes give others. */
let next = FIRST + Math.floor(Math.random() * (LAST - FIRST + 1));

/** A port that nothing listens at now, another one each time. A process beside this one may take it before the caller does: be ready to try again. */
export async function freePort(host = '127.0.0.1'): Promise<number> {
  for (let tried = FIRST; tried <= LAST; tried++) {
    const port = next;
    next = port === LAST ? FIRST : port + 1;
    if (await isFree(port, host)) return port;
  }
  throw new Error(`something listens at every port from ${FIRST} to ${LAST}`);
}

function isFree(port: number, host: string): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', () => resolve(false));
    server.listen(port, host, () => server.close(() => resolve(true)));
  });
}
