import { createServer, type Server } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';

/** For specs: an HTTP proxy (CONNECT) that leads to one server on this machine, whatever it is asked for. */
export class ConnectProxy {
  /** What it was asked for: host:port. */
  readonly targets: string[] = [];
  /** The logins that it was shown. */
  readonly logins: (string | undefined)[] = [];
  private readonly server: Server;
  private readonly sockets = new Set<Socket>();

  /** @param port of the server that it leads to */
  constructor(port: number) {
    this.server = createServer();
    this.server.on('connect', (request, socket: Socket) => {
      this.targets.push(request.url ?? '');
      this.logins.push(request.headers['proxy-authorization']);
      const onward = connect(port, '127.0.0.1', () => {
        socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
        socket.pipe(onward).pipe(socket);
      });
      for (const end of [socket, onward]) this.sockets.add(end.on('error', () => undefined));
    });
  }

  /** Resolves to its URL. */
  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  stop(): void {
    this.server.close();
    for (const socket of this.sockets) socket.destroy();
  }
}
