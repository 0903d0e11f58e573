import { Cursor, JobId } from '@ajs/job-state';
import { anonymous, armadaAccess, withoutTls, type ArmadaIdentity } from '@ajs/armada-credentials';
import { loadSettings } from '@ajs/config';
import { EventService } from '@ajs/contracts/api/event';
import { JobsService } from '@ajs/contracts/api/job';
import { CertificateAuthority, eventually } from '@ajs/testing';
import {
  Metadata,
  Server,
  ServerCredentials,
  status,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
} from '@grpc/grpc-js';
import { createArmadaClient, createForwardingChannels, type ArmadaClient } from './index.js';

const KEY = { queue: 'q', jobSetId: 's' };

/** What an Armada hears, and lets in. */
class Gate {
  /** Method and `authorization` of each call. */
  readonly calls: [method: string, authorization: string | undefined][] = [];
  open = 0;
  /** Values that it does not know. */
  readonly unknown = new Set<string | undefined>();
  private readonly server = new Server();

  async listen(credentials = ServerCredentials.createInsecure()): Promise<string> {
    this.server.addService(EventService, {
      health: (call: ServerUnaryCall<unknown, unknown>, callback: sendUnaryData<unknown>) =>
        this.lets('health', call.metadata) ? callback(null, { status: 1 }) : callback(REFUSED),
      getJobSetEvents: (call: ServerWritableStream<unknown, unknown>) => {
        if (!this.lets('events', call.metadata)) return call.emit('error', REFUSED);
        this.open++;
        call.on('cancelled', () => this.open--);
        return undefined;
      },
      watch: (call: ServerWritableStream<unknown, unknown>) => call.end(),
    });
    this.server.addService(JobsService, {
      ...Object.fromEntries(Object.keys(JobsService).map((name) => [name, () => undefined])),
      getJobErrors: (call: ServerUnaryCall<unknown, unknown>, callback: sendUnaryData<unknown>) =>
        this.lets('jobs', call.metadata) ? callback(null, { jobErrors: {} }) : callback(REFUSED),
    });
    const port = await new Promise<number>((resolve, reject) =>
      this.server.bindAsync('127.0.0.1:0', credentials, (error, bound) =>
        error === null ? resolve(bound) : reject(error),
      ),
    );
    return `127.0.0.1:${port}`;
  }

  stop(): void {
    this.server.forceShutdown();
  }

  private lets(method: string, metadata: Metadata): boolean {
    const [authorization] = metadata.get('authorization').map(String);
    this.calls.push([method, authorization]);
    return !this.unknown.has(authorization);
  }
}

const REFUSED = { code: status.UNAUTHENTICATED, details: 'who are you?' };

let gate: Gate;
const cleanups: (() => void)[] = [];

beforeEach(() => {
  gate = new Gate();
  cleanups.push(() => gate.stop());
});
afterEach(() => cleanups.splice(0).forEach((cleanUp) => cleanUp()));

function clientOf(
  options: Pick<Parameters<typeof createArmadaClient>[0], 'transport' | 'identity'>,
): ArmadaClient {
  const client = createArmadaClient({
    ...options,
    maxMessageBytes: 100_000,
    callsPerSecond: 1_000,
  });
  cleanups.push(() => client.close());
  return client;
}

/** As a process with these settings reaches Armada. */
function clientWith(env: Readonly<Record<string, string>>): ArmadaClient {
  const observer = { renewed: () => undefined, failed: () => undefined };
  return clientOf(armadaAccess(loadSettings({ argv: [], env }), { env, observer }));
}

const ends: string[] = [];
const counter = { unknownKind: () => undefined, malformed: () => undefined };
const watch = (client: ArmadaClient) =>
  client
    .events(counter)
    .open(
      { key: KEY, from: Cursor(''), watch: true },
      { message: () => undefined, end: ({ reason }) => ends.push(reason) },
    );

/** Gives these values in turn, and notes which ones were refused. */
class Credentials implements ArmadaIdentity {
  readonly refusals: string[] = [];
  constructor(readonly values: (string | Error)[]) {}

  authorization(): Promise<string> {
    const [value = new Error('there is none')] = this.values;
    return typeof value === 'string' ? Promise.resolve(value) : Promise.reject(value);
  }

  refused(authorization: string): void {
    this.refusals.push(authorization);
  }

  close(): void {
    // Nothing works on the next one.
  }
}

describe('a call of ours', () => {
  it('carries our current credential, of any kind, also without TLS', async () => {
    const identity = new Credentials(['basic dXM6cA==']);
    const client = clientOf({ transport: withoutTls(await gate.listen()), identity });
    await client.health();
    await client.jobs.errors([JobId('01m85vrgp7whz55kx8f03d6510')]);
    watch(client);
    await eventually('the watch is open', () => gate.open === 1);
    identity.values[0] = 'Bearer next';
    await client.health();
    expect(gate.calls).toEqual([
      ['health', 'basic dXM6cA=='],
      ['jobs', 'basic dXM6cA=='],
      ['events', 'basic dXM6cA=='],
      ['health', 'Bearer next'],
    ]);
    expect(identity.refusals).toEqual([]);
  });

  it('carries no credential where none is configured', async () => {
    await clientOf({ transport: withoutTls(await gate.listen()), identity: anonymous }).health();
    expect(gate.calls).toEqual([['health', undefined]]);
  });

  it('whose credential Armada rejects is reported to the identity', async () => {
    const identity = new Credentials(['Bearer old']);
    gate.unknown.add('Bearer old');
    const client = clientOf({ transport: withoutTls(await gate.listen()), identity });
    await expect(client.health()).rejects.toThrow('UNAUTHENTICATED: who are you?');
    watch(client);
    await eventually('both rejections are reported', () => identity.refusals.length === 2);
    expect(identity.refusals).toEqual(['Bearer old', 'Bearer old']);
  });

  it('without a credential is not made, and open streams stay open', async () => {
    const identity = new Credentials(['Bearer good']);
    const client = clientOf({ transport: withoutTls(await gate.listen()), identity });
    watch(client);
    await eventually('it is open', () => gate.open === 1);
    identity.values[0] = new Error('the provider is down');
    ends.length = 0;
    await expect(client.health()).rejects.toThrow(/UNAVAILABLE: .*the provider is down/);
    watch(client);
    await eventually('the second watch ends', () => ends.length === 1);
    expect(ends[0]).toMatch(/UNAVAILABLE: .*the provider is down/);
    expect(gate.open).toBe(1);
    expect(gate.calls).toHaveLength(1);
  });

  it('waits for its credential no longer than its deadline', async () => {
    const identity: ArmadaIdentity = { ...anonymous, authorization: () => new Promise(() => undefined) };
    const client = clientOf({ transport: withoutTls(await gate.listen()), identity });
    await expect(client.health()).rejects.toThrow('DEADLINE_EXCEEDED');
    expect(gate.calls).toEqual([]);
  });
});

describe('a forwarded call', () => {
  it('carries its caller’s authorization and no credential of ours', async () => {
    const channels = createForwardingChannels(withoutTls(await gate.listen()), 100_000);
    cleanups.push(() => channels.close());
    const { client } = channels.acquire();
    const { path, requestSerialize, responseDeserialize } = EventService.health;
    for (const brought of [undefined, 'Bearer theirs']) {
      const metadata = new Metadata();
      if (brought !== undefined) metadata.set('authorization', brought);
      await new Promise((resolve) =>
        client.makeUnaryRequest(path, requestSerialize, responseDeserialize, {}, metadata, resolve),
      );
    }
    expect(gate.calls).toEqual([
      ['health', undefined],
      ['health', 'Bearer theirs'],
    ]);
  });
});

describe('TLS', () => {
  let authority: CertificateAuthority;
  beforeEach(async () => {
    authority = await CertificateAuthority.create();
    cleanups.push(() => authority.remove());
  });

  async function listenWithTls(names: string[], checkClients = false): Promise<string> {
    const { cert, key } = await authority.sign(names);
    const pair = { cert_chain: Buffer.from(cert), private_key: Buffer.from(key) };
    return gate.listen(ServerCredentials.createSsl(Buffer.from(authority.cert), [pair], checkClients));
  }

  it('works with a given CA, at an address that defaults to plaintext', async () => {
    const env = { ARMADA_URL: await listenWithTls(['127.0.0.1']), ARMADA_TLS_CA_FILE: authority.certFile };
    await expect(clientWith(env).health()).resolves.toBeUndefined();
  });

  it('works with the system’s roots', async () => {
    const address = (await listenWithTls(['localhost'])).replace('127.0.0.1', 'localhost');
    // The server name alone turns TLS on.
    const env = { ARMADA_URL: address, ARMADA_TLS_SERVER_NAME: 'localhost' };
    await expect(clientWith({ ...env, SSL_CERT_FILE: authority.certFile }).health()).resolves.toBeUndefined();
    await expect(clientWith(env).health()).rejects.toThrow(/UNAVAILABLE: .*certificate/);
  });

  it('fails with a server of another name, unless that name is expected', async () => {
    const env = {
      ARMADA_URL: await listenWithTls(['armada.internal']),
      ARMADA_TLS_CA_FILE: authority.certFile,
    };
    await expect(clientWith(env).health()).rejects.toThrow('UNAVAILABLE');
    const named = clientWith({ ...env, ARMADA_TLS_SERVER_NAME: 'armada.internal' });
    await expect(named.health()).resolves.toBeUndefined();
  });

  it('presents our certificate where Armada, or a proxy before it, requests one', async () => {
    const address = await listenWithTls(['127.0.0.1'], true);
    const env = { ARMADA_URL: address, ARMADA_TLS_CA_FILE: authority.certFile };
    await expect(clientWith(env).health()).rejects.toThrow('UNAVAILABLE');
    const { certFile, keyFile } = await authority.sign(['us']);
    const known = clientWith({ ...env, ARMADA_TLS_CERT_FILE: certFile, ARMADA_TLS_KEY_FILE: keyFile });
    await expect(known.health()).resolves.toBeUndefined();
  });
});
