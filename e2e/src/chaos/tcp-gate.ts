import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

interface Pair {
  readonly near: Socket;
  /** `undefined` until it is known that the connection may go on. */
  far: Socket | undefined;
}

/** A way to a server on this machine that can be closed, cut, or fall silent. */
export class TcpGate {
  private readonly pairs = new Set<Pair>();
  /** Ports of this side's connections to the server, of all time: how the server sees who came this way. */
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
    const server = await listen(0);
    return new TcpGate(target, server, (server.address() as AddressInfo).port);
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** Ends every connection at once, as a server does that crashes. */
  reset(): void {
    for (const { near, far } of this.pairs) {
      near.resetAndDestroy();
      far?.destroy();
    }
  }

  /** Refuses connections, and resets those there are. */
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

  /** While it is silent, connections stay open, new ones are accepted, and nothing comes through. */
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
