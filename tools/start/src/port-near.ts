import { createServer } from 'node:net';
import { freePort } from '@ajs/testing';

/** The given port if it is free, else another one, with a line that says so. */
export async function portNear(wished: number): Promise<number> {
  const isFree = await new Promise<boolean>((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(wished, '127.0.0.1', () => server.close(() => resolve(true)));
  });
  if (isFree) return wished;
  const other = await freePort();
  console.log(`Port ${wished} is in use; using ${other} instead.`);
  return other;
}
