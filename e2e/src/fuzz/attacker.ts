import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { connect, type ClientHttp2Session } from 'node:http2';
import { connect as connectTcp } from 'node:net';
import type { Attack, BytesAttack, GrpcAttack, HttpAttack } from './attacks.js';

/** Attacks that last longer are abandoned: watches, and incomplete requests. Milliseconds. */
const PATIENCE_MS = 300;

export interface Target {
  /** `host:port`. */
  readonly grpc: string;
  /** `host:port`. */
  readonly http: string;
}

/** Sends attacks one after the other and ignores what comes back. */
export class Attacker {
  private session: ClientHttp2Session | undefined;

  constructor(private readonly target: Target) {}

  /** Resolves when the attack is over, however it ended. */
  async run(attack: Attack): Promise<void> {
    try {
      if (attack.kind === 'grpc') await this.call(attack);
      else if (attack.kind === 'http') await this.request(attack);
      else await this.throwBytes(attack);
    } catch {
      // Node refuses to send some of them.
    }
  }

  close(): void {
    this.session?.destroy();
  }

  private async call({ path, headers, body, framed, ended }: GrpcAttack): Promise<void> {
    if (this.session === undefined || this.session.closed || this.session.destroyed) {
      this.session = connect(`http://${this.target.grpc}`);
      this.session.on('error', () => undefined);
    }
    const stream = this.session.request({ ':method': 'POST', ':path': path, te: 'trailers', ...headers });
    stream.on('error', () => undefined).resume();
    const timer = setTimeout(() => stream.destroy(), PATIENCE_MS);
    if (framed) {
      const prefix = Buffer.alloc(5);
      prefix.writeUInt32BE(body.length, 1);
      stream.write(prefix);
    }
    if (ended) stream.end(body);
    else stream.write(body);
    if (!stream.closed) await once(stream, 'close');
    clearTimeout(timer);
  }

  private async request({ method, path, headers, body }: HttpAttack): Promise<void> {
    const [host, port] = this.target.http.split(':');
    const sent = httpRequest({ host, port, method, path, headers, agent: false, timeout: PATIENCE_MS });
    sent.on('error', () => undefined).on('timeout', () => sent.destroy());
    sent.on('response', (response) => response.resume());
    sent.end(body);
    await once(sent, 'close');
  }

  private async throwBytes({ port, bytes }: BytesAttack): Promise<void> {
    const [host = '', number] = this.target[port].split(':');
    const socket = connectTcp(Number(number), host);
    socket.on('error', () => undefined).resume();
    const timer = setTimeout(() => socket.destroy(), PATIENCE_MS);
    socket.write(bytes);
    if (!socket.closed) await once(socket, 'close');
    clearTimeout(timer);
  }
}
