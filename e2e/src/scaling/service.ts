import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

const LOCAL = '127.0.0.1';
const HEADLESS_NAME = 'query-headless.jobs';
const TYPE_A = 1;
const HEAD_BYTES = 12;
/** Every node and the DNS server hear of a pod that leaves so much later: a tenth of the 4 s that it may take. */
const ENDPOINTS_MS = 400;

/**
 * The gRPC port of pods behind a ClusterIP Service and a headless one. Pods have addresses of their own and one port. New connections to the
 * Service go to any pod that is ready; those that are open stay where they are, as with kube-proxy.
 */
export class Service {
  private readonly ready = new Set<string>();
  private readonly open = new Set<Socket>();

  private constructor(
    private readonly proxy: Server,
    private readonly dns: UdpSocket,
    private readonly podPort: number,
  ) {
    proxy.on('connection', (near) => this.forward(near));
    dns.on('message', (query, { port, address }) => dns.send(this.answer(query), port, address));
  }

  /** @param podPort the same for all pods */
  static async of(podPort: number): Promise<Service> {
    // A direction may end before the other, as between any two peers.
    const proxy = createServer({ allowHalfOpen: true });
    const dns = createSocket('udp4');
    await Promise.all([
      new Promise<void>((resolve) => proxy.listen(0, LOCAL, resolve)),
      new Promise<void>((resolve) => dns.bind(0, LOCAL, resolve)),
    ]);
    return new Service(proxy, dns, podPort);
  }

  /** `host:port` */
  get clusterIp(): string {
    return `${LOCAL}:${(this.proxy.address() as AddressInfo).port}`;
  }

  /** A target for gRPC whose name resolves to all ready pods. */
  get headless(): string {
    return `dns://${LOCAL}:${this.dns.address().port}/${HEADLESS_NAME}:${this.podPort}`;
  }

  add(host: string): void {
    this.ready.add(host);
  }

  /** As endpoints are removed: for a moment new connections go there still, and names resolve to it. */
  remove(host: string): void {
    setTimeout(() => this.ready.delete(host), ENDPOINTS_MS).unref();
  }

  stop(): void {
    this.proxy.close();
    this.dns.close();
    for (const socket of this.open) socket.destroy();
  }

  private forward(near: Socket): void {
    const hosts = [...this.ready];
    const host = hosts[Math.floor(Math.random() * hosts.length)];
    if (host === undefined) {
      near.resetAndDestroy();
      return;
    }
    const far = connect({ host, port: this.podPort, noDelay: true, allowHalfOpen: true });
    near.setNoDelay(true);
    this.join(near, far);
    this.join(far, near);
  }

  private join(from: Socket, to: Socket): void {
    this.open.add(from);
    from.pipe(to);
    from.on('error', () => to.resetAndDestroy());
    from.on('close', () => this.open.delete(from));
  }

  /** The addresses of all ready pods, whatever the name that is asked for; none of another type than A. */
  private answer(query: Buffer): Buffer {
    let end = HEAD_BYTES;
    for (let length = query[end]; length !== undefined && length > 0; length = query[end]) end += length + 1;
    const type = query.readUInt16BE(end + 1);
    const hosts = type === TYPE_A ? [...this.ready] : [];
    const head = Buffer.alloc(HEAD_BYTES);
    query.copy(head, 0, 0, 2);
    // An authoritative answer to one question.
    head.writeUInt16BE(0x8400, 2);
    head.writeUInt16BE(1, 4);
    head.writeUInt16BE(hosts.length, 6);
    // The name of the question, A, IN, a time to live of 0, and 4 bytes.
    const records = hosts.map((host) =>
      Buffer.from([0xc0, HEAD_BYTES, 0, TYPE_A, 0, 1, 0, 0, 0, 0, 0, 4, ...host.split('.').map(Number)]),
    );
    return Buffer.concat([head, query.subarray(HEAD_BYTES, end + 5), ...records]);
  }
}
