import { once } from 'node:events';
import { mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect, type ConnectionOptions } from 'node:tls';
import { JobServiceService } from '@ajs/contracts/jobservice/jobservice';
import { jest } from '@jest/globals';
import { CertificateAuthority, eventually, unary, type Certified } from '@ajs/testing';
import { Client, credentials, status } from '@grpc/grpc-js';
import { pino } from 'pino';
import { GrpcServer } from '../grpc/grpc-server.js';
import { publicMethod } from '../grpc/unary-method.js';
import { FREE_PORT, PLAIN } from '../grpc/testing/grpc-test-options.js';
import { ServerTls } from './server-tls.js';

const RELOAD_INTERVAL_MS = 20;
const SOME_RELOADS_MS = 10 * RELOAD_INTERVAL_MS;
const YEAR_MS = 365 * 86_400_000;
const REQUEST = { queue: 'q', jobSetId: 's', jobId: 'j' };

/** Responds with the name in the caller's certificate. */
const getJobStatus = publicMethod(JobServiceService.getJobStatus, 1_024, (_request, caller) => ({
  state: 0,
  error: String(caller.certificateName()),
}));

let authority: CertificateAuthority;
let another: CertificateAuthority;
let folder: string;
let tls: ServerTls;
let server: GrpcServer;
let port: number;
let lines: { level: string; msg: string; err?: { message: string } }[];
const clients: Client[] = [];

/** Replaces the folder behind the link atomically, as Kubernetes does. */
function put({ cert, key }: Pick<Certified, 'cert' | 'key'>, clientCa = authority.cert): void {
  const files = mkdtempSync(join(folder, 'data-'));
  writeFileSync(join(files, 'tls.crt'), cert);
  writeFileSync(join(files, 'tls.key'), key);
  writeFileSync(join(files, 'ca.crt'), clientCa);
  symlinkSync(files, join(folder, 'next'));
  renameSync(join(folder, 'next'), join(folder, 'now'));
}

const files = (withClients: boolean) => ({
  queryTlsCertFile: join(folder, 'now', 'tls.crt'),
  queryTlsKeyFile: join(folder, 'now', 'tls.key'),
  queryTlsClientCaFile: withClients ? join(folder, 'now', 'ca.crt') : '',
});

async function serve(withClients = false): Promise<void> {
  const read = ServerTls.read(files(withClients));
  if (read === undefined) throw new Error('no TLS');
  tls = read;
  server = new GrpcServer({ methods: [getJobStatus] }, { ...PLAIN, tls });
  port = await server.listen(FREE_PORT);
  const log = pino(
    { formatters: { level: (level) => ({ level }) } },
    { write: (line: string) => void lines.push(JSON.parse(line) as (typeof lines)[number]) },
  );
  tls.watch(log, RELOAD_INTERVAL_MS);
}

/** A client on a connection of its own, which trusts `ca`. */
function client(ca = authority.cert, own?: Pick<Certified, 'cert' | 'key'>): Client {
  const ssl = credentials.createSsl(
    Buffer.from(ca),
    own && Buffer.from(own.key),
    own && Buffer.from(own.cert),
  );
  const made = new Client(`127.0.0.1:${port}`, ssl, { 'grpc.use_local_subchannel_pool': 1 });
  clients.push(made);
  return made;
}

const ask = async (from: Client): Promise<string> =>
  (await unary(from, JobServiceService.getJobStatus, REQUEST)).answer.error;

/** The result of a handshake: the server certificate's name, or the error. */
async function handshake(options: ConnectionOptions & { localAddress?: string }): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port, ca: authority.cert, ALPNProtocols: ['h2'], ...options });
  try {
    await once(socket, 'secureConnect');
    const { subject } = socket.getPeerCertificate();
    return [socket.getProtocol(), subject.CN].join(' ');
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? '';
  } finally {
    socket.destroy();
  }
}

/** A session that the server lets a client resume. */
async function sessionOf(options: ConnectionOptions): Promise<Buffer> {
  const socket = connect({ host: '127.0.0.1', port, ca: authority.cert, ALPNProtocols: ['h2'], ...options });
  const [session] = (await once(socket, 'session')) as [Buffer];
  socket.destroy();
  return session;
}

/** Whether the server begins HTTP/2 with a client that resumes its session. */
async function isServed(options: ConnectionOptions): Promise<boolean> {
  const socket = connect({ host: '127.0.0.1', port, ca: authority.cert, ALPNProtocols: ['h2'], ...options });
  let received = 0;
  socket.on('error', () => undefined).on('data', (chunk: Buffer) => (received += chunk.length));
  await once(socket, 'secureConnect');
  expect(socket.isSessionReused()).toBe(true);
  await eventually('it is served, or disconnected', () => received > 0 || socket.closed);
  socket.destroy();
  return received > 0;
}

beforeAll(async () => {
  authority = await CertificateAuthority.create();
  another = await CertificateAuthority.create('another authority');
});

afterAll(() => {
  authority.remove();
  another.remove();
});

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'server-tls-'));
  lines = [];
  put(await authority.sign(['first', '127.0.0.1']));
});

afterEach(async () => {
  for (const each of clients.splice(0)) each.close();
  tls.stop();
  await server.stop();
  rmSync(folder, { recursive: true });
});

describe('gRPC over TLS', () => {
  it('serves clients that trust the certificate, and requests none from them', async () => {
    await serve();
    expect(await ask(client())).toBe('undefined');
    await expect(ask(client(another.cert))).rejects.toMatchObject({ code: status.UNAVAILABLE });
  });

  it.each(['TLSv1.2', 'TLSv1.3'] as const)('accepts %s', async (version) => {
    await serve();
    expect(await handshake({ minVersion: version, maxVersion: version })).toBe(`${version} first`);
  });

  it('rejects TLS 1.1', async () => {
    await serve();
    const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const;
    expect(await handshake(old)).toBe('ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION');
  });
});

describe('a handshake', () => {
  it('has ten seconds', async () => {
    await serve();
    expect(tls.serverOptions.handshakeTimeout).toBe(10_000);
  });

  it.each([
    ['sends nothing', Buffer.alloc(0)],
    ['stops within its first message', Buffer.from('1603010200010001fc0303', 'hex')],
  ])('of a client that %s is ended then, and gives others its place', async (_, bytes) => {
    const read = ServerTls.read(files(false));
    if (read === undefined) throw new Error('no TLS');
    tls = Object.defineProperty(read, 'serverOptions', { value: { handshakeTimeout: 2_000 } });
    let rejected = 0;
    server = new GrpcServer(
      { methods: [getJobStatus] },
      { ...PLAIN, tls, maxConnections: 8, onRejected: () => rejected++ },
    );
    port = await server.listen(FREE_PORT);
    const open = Array.from({ length: 20 }, () => connectTcp(port, '127.0.0.1'));
    for (const socket of open) socket.on('error', () => undefined).write(bytes);
    await eventually('those above the share of the address are rejected', () => rejected === 14);
    expect(await handshake({ localAddress: '127.0.0.2' })).toBe('TLSv1.3 first');
    await eventually('the others are ended', () => open.every(({ closed }) => closed));
    expect(await ask(client())).toBe('undefined');
  });
});

describe('client certificates', () => {
  it('give a call the name of their subject', async () => {
    await serve(true);
    expect(await ask(client(authority.cert, await authority.sign(['airflow'])))).toBe('airflow');
  });

  it('need authorities: a file without any is refused', async () => {
    await serve();
    writeFileSync(join(folder, 'now', 'ca.crt'), 'no certificate');
    expect(() => ServerTls.read(files(true))).toThrow(
      /QUERY_TLS_CLIENT_CA_FILE is ".*ca\.crt", which holds no certificate/,
    );
  });

  it('are required where their authorities are set, and must come from one of them', async () => {
    await serve(true);
    const untrusted = await another.sign(['airflow']);
    for (const rejected of [client(), client(authority.cert, untrusted)]) {
      await expect(ask(rejected)).rejects.toMatchObject({ code: status.UNAVAILABLE });
    }
  });

  it.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'do not count any more where a session is resumed once they have expired: %s',
    async (version) => {
      await serve(true);
      const { cert, key } = await authority.sign(['airflow']);
      const only = { minVersion: version, maxVersion: version };
      const session = await sessionOf({ ...only, cert, key });
      expect(await isServed({ ...only, session })).toBe(true);
      const now = Date.now();
      const clock = jest.spyOn(Date, 'now').mockImplementation(() => now + 10 * YEAR_MS);
      try {
        expect(await isServed({ ...only, session })).toBe(false);
      } finally {
        clock.mockRestore();
      }
    },
  );
});

describe('changed files', () => {
  it('apply to new connections, while open ones stay', async () => {
    await serve();
    const open = client();
    await ask(open);
    put(await another.sign(['second', '127.0.0.1']));
    await eventually(
      'the new certificate is presented',
      async () => (await handshake({ ca: another.cert })) === 'TLSv1.3 second',
    );
    expect(await ask(open)).toBe('undefined');
    expect(await ask(client(another.cert))).toBe('undefined');
    await expect(ask(client())).rejects.toMatchObject({ code: status.UNAVAILABLE });
    await sleep(SOME_RELOADS_MS);
    expect(lines.filter(({ msg }) => msg === 'reloaded the TLS files')).toHaveLength(1);
  });

  it.each(['alone', 'with the certificate'])(
    'replace the authorities of client certificates, %s',
    async (how) => {
      const own = await authority.sign(['first', '127.0.0.1']);
      put(own);
      await serve(true);
      put(how === 'alone' ? own : await authority.sign(['second', '127.0.0.1']), another.cert);
      const theirs = await another.sign(['b']);
      await eventually(
        'the other authority is trusted',
        async () => (await ask(client(authority.cert, theirs))) === 'b',
      );
      const ours = client(authority.cert, await authority.sign(['a']));
      await expect(ask(ours)).rejects.toMatchObject({ code: status.UNAVAILABLE });
    },
  );

  it('change nothing while they do not fit together, are logged once, and apply once they fit', async () => {
    await serve();
    const [cert, key] = [await authority.sign(['second', '127.0.0.1']), await authority.sign(['third'])];
    put({ cert: cert.cert, key: key.key });
    const errors = () => lines.filter(({ level }) => level === 'error');
    await eventually('the failure is logged', () => errors().length > 0);
    expect(errors()[0]?.err?.message).toMatch(/QUERY_TLS_CERT_FILE.*cannot be used together/);
    expect(await handshake({})).toBe('TLSv1.3 first');
    await sleep(SOME_RELOADS_MS);
    put(cert);
    await eventually('the fitting ones apply', async () => (await handshake({})) === 'TLSv1.3 second');
    expect(errors()).toHaveLength(1);
    expect(JSON.stringify(lines)).not.toContain('PRIVATE KEY');
  });

  it('change nothing while one is missing', async () => {
    await serve();
    renameSync(join(folder, 'now'), join(folder, 'elsewhere'));
    await eventually('the failure is logged', () => lines.some(({ level }) => level === 'error'));
    expect(await handshake({})).toBe('TLSv1.3 first');
  });
});
