import { createServer, type AddressInfo, type Server as TcpServer, type Socket } from 'node:net';
import type { Server, ServerCredentials } from '@grpc/grpc-js';

/** A TCP port whose connections a gRPC server serves: grpc-js' own way to listen does not bound their number. */
export class GrpcPort {
  private readonly listener: TcpServer;
  private readonly open = new Set<Socket>();

  /** More connections than `mostConnections` are closed as they come, and `refused` is told. */
  constructor(server: Server, credentials: ServerCredentials, mostConnections: number, refused: () => void) {
    const injector = server.createConnectionInjector(credentials);
    this.listener = createServer({ noDelay: true }, (socket) => {
      this.open.add(socket);
      socket.on('close', () => this.open.delete(socket));
      injector.injectConnection(socket);
    });
    this.listener.maxConnections = mostConnections;
    this.listener.on('drop', refused);
  }

  /** Resolves to the port; rejects where it cannot be had. */
  async listen(host: string, port: number): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.listener.once('error', reject);
      this.listener.listen({ host, port }, () => {
        this.listener.off('error', reject);
        resolve();
      });
    });
    return (this.listener.address() as AddressInfo).port;
  }

  /** No more connections; those that are open stay. */
  close(): void {
    this.listener.close();
  }

  /** Ends the connections that are open, whatever they do. */
  cutOff(): void {
    for (const socket of this.open) socket.destroy();
  }
}
