import { keepLongDeadlines } from '@ajs/testing';
import {
  Client,
  Metadata,
  Server,
  ServerCredentials,
  credentials,
  type ChannelOptions,
  type ClientDuplexStream,
  type ServerDuplexStream,
  type StatusObject,
} from '@grpc/grpc-js';

export type RawServerCall = ServerDuplexStream<Buffer, Buffer>;
export type RawClientCall = ClientDuplexStream<Buffer, Buffer>;

const identity = (bytes: Buffer): Buffer => bytes;

/** A server of methods whose messages are bytes: `answer` handles each call, and all calls are kept. */
export class RawServer {
  readonly calls: RawServerCall[] = [];
  answer: (call: RawServerCall) => void = () => undefined;
  private server: Server | undefined;

  constructor(private readonly paths: readonly string[]) {}

  /** Listens at a free port; resolves to its address. */
  async listen(): Promise<string> {
    keepLongDeadlines();
    const server = new Server({ 'grpc.max_receive_message_length': -1 });
    this.server = server;
    for (const path of this.paths) {
      server.register(
        path,
        (call: RawServerCall) => {
          this.calls.push(call);
          // A cancelled call emits an error that has no other listener.
          call.on('error', () => undefined);
          this.answer(call);
        },
        identity,
        identity,
        'bidi',
      );
    }
    const bound = await new Promise<number>((resolve, reject) => {
      server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, at) => {
        if (error === null) resolve(at);
        else reject(error);
      });
    });
    return `127.0.0.1:${bound}`;
  }

  /** At once, with all its connections. */
  stop(): void {
    this.server?.forceShutdown();
  }
}

/** All that a call received. */
export interface Outcome {
  readonly initial: Metadata | undefined;
  readonly messages: Buffer[];
  readonly status: StatusObject;
}

export class RawClient {
  private readonly client: Client;

  constructor(address: string, options: ChannelOptions = {}) {
    this.client = new Client(address, credentials.createInsecure(), {
      'grpc.use_local_subchannel_pool': 1,
      ...options,
    });
  }

  open(path: string, metadata = new Metadata(), deadline = Infinity): RawClientCall {
    const call = this.client.makeBidiStreamRequest(path, identity, identity, metadata, { deadline });
    // The status says the same.
    call.on('error', () => undefined);
    return call;
  }

  /** Sends one message, as a unary call does, and collects all that is received. */
  async call(path: string, message: Buffer, metadata?: Metadata, deadline?: number): Promise<Outcome> {
    const call = this.open(path, metadata, deadline);
    call.end(message);
    return outcomeOf(call);
  }

  close(): void {
    this.client.close();
  }
}

export async function outcomeOf(call: RawClientCall): Promise<Outcome> {
  const messages: Buffer[] = [];
  let initial: Metadata | undefined;
  call.on('metadata', (metadata: Metadata) => (initial = metadata));
  call.on('data', (message: Buffer) => messages.push(message));
  const status = await new Promise<StatusObject>((resolve) => call.on('status', resolve));
  return { initial, messages, status };
}
