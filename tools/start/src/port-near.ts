import { createServer } from 'node:net';
import { freePort } from '@ajs/testing';

/** The port wished for, or another free one, with a word about it, where somebody listens there already. */
export async function portNear(wished: number): Promise<number> {
  const isFree = await new Promise<boolean>((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(wished, '127.0.0.1', () => server.close(() => resolve(true)));
  });
  if (isFree) return wished;
  const other = await freePort();
  console.log(`port ${wished} is in use; taking ${other}`);
  return other;
}
