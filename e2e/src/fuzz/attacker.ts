import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { connect, type ClientHttp2Session } from 'node:http2';
import { connect as connectTcp } from 'node:net';
import type { Attack, BytesAttack, GrpcAttack, HttpAttack } from './attacks.js';

/** What is not over by then is left by the attacker: watches, and what waits for more of a request. Milliseconds. */
const PATIENCE_MS = 300;

export interface Target {
  /** `host:port`. */
  readonly grpc: string;
  /** `host:port`. */
  readonly http: string;
}

/** Sends attacks, one after the other, and takes whatever comes of them. */
export class Attacker {
  private session: ClientHttp2Session | undefined;

  constructor(private readonly target: Target) {}

  /** Resolves when it is over, however it ended. */
  async run(attack: Attack): Promise<void> {
    try {
      if (attack.kind === 'grpc') await this.call(attack);
      else if (attack.kind === 'http') await this.ask(attack);
      else await this.throwBytes(attack);
    } catch {
      // Node does not send everything that is made up here.
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

  private async ask({ method, path, headers, body }: HttpAttack): Promise<void> {
    const [host, port] = this.target.http.split(':');
    const asked = httpRequest({ host, port, method, path, headers, agent: false, timeout: PATIENCE_MS });
    asked.on('error', () => undefined).on('timeout', () => asked.destroy());
    asked.on('response', (response) => response.resume());
    asked.end(body);
    await once(asked, 'close');
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
