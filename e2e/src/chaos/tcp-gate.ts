import { connect, createServer, type Server, type Socket } from 'node:net';
import { freePort } from '@ajs/testing';

interface Pair {
  readonly near: Socket;
  /** `undefined` until the connection may go on. */
  far: Socket | undefined;
}

/** A TCP proxy to a local server that can refuse, reset and fall silent. */
export class TcpGate {
  private readonly pairs = new Set<Pair>();
  /** Local ports of all connections to the server so far, by which the server sees who came this way. */
  readonly ports = new Set<number>();
  private silent = false;

  private constructor(
    private readonly target: number,
    private server: Server,
    private readonly port: number,
  ) {
    server.on('connection', (near) => this.let(near));
  }

  static async to(target: number): Promise<TcpGate> {
    // One that nobody is given while the gate is closed.
    const port = await freePort();
    return new TcpGate(target, await listen(port), port);
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** Resets every connection, as a crash of the server does. */
  reset(): void {
    for (const { near, far } of this.pairs) {
      near.resetAndDestroy();
      far?.destroy();
    }
  }

  /** Resets every connection and refuses new ones. */
  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.server.close(resolve));
    this.reset();
    await closed;
  }

  /** After {@link close}. */
  async reopen(): Promise<void> {
    this.server = await listen(this.port);
    this.server.on('connection', (near) => this.let(near));
  }

  /** While silent, it keeps connections, accepts new ones and forwards nothing. */
  setSilent(silent: boolean): void {
    this.silent = silent;
    for (const pair of this.pairs) {
      if (silent) hold(pair);
      else this.join(pair);
    }
  }

  private let(near: Socket): void {
    const pair: Pair = { near, far: undefined };
    this.pairs.add(pair);
    near.setNoDelay(true);
    near.on('error', () => near.destroy());
    near.once('close', () => {
      this.pairs.delete(pair);
      pair.far?.destroy();
    });
    if (!this.silent) this.join(pair);
  }

  private join(pair: Pair): void {
    const { near } = pair;
    if (near.destroyed) return;
    if (pair.far === undefined) {
      const far = connect({ port: this.target, host: '127.0.0.1', noDelay: true });
      pair.far = far;
      far.once('connect', () => this.ports.add(far.localPort ?? 0));
      far.on('error', () => near.resetAndDestroy());
      far.once('close', () => near.destroy());
    }
    near.pipe(pair.far);
    pair.far.pipe(near);
  }
}

function hold({ near, far }: Pair): void {
  if (far === undefined) return;
  near.unpipe(far).pause();
  far.unpipe(near).pause();
}

async function listen(port: number): Promise<Server> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  return server;
}
