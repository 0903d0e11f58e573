import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Agent, request as httpsRequest, type RequestOptions } from 'node:https';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { connect as connectTls, type SecureContextOptions, type TLSSocket } from 'node:tls';
import { jest } from '@jest/globals';
import { CertificateAuthority, eventually, type Certified } from '@ajs/testing';
import { BoundedHttpAdapter, TIMEOUTS, type HttpLimits, type HttpTls } from './bounded-http.js';

type TlsVersion = 'TLSv1.2' | 'TLSv1.3';
const YEAR_MS = 365 * 86_400_000;
const only = (version: TlsVersion) => ({ minVersion: version, maxVersion: version });

const SHORT = {
  ...TIMEOUTS,
  headersTimeout: 200,
  requestTimeout: 400,
  connectionsCheckingInterval: 50,
  unread: 500,
};

let served: BoundedHttpAdapter;
let port: number;
let rejected: number;

async function serve(bounds: Partial<HttpLimits> = {}): Promise<void> {
  rejected = 0;
  served = new BoundedHttpAdapter({
    maxConnections: 100,
    onRejected: () => rejected++,
    onPipelined: () => undefined,
    ...bounds,
  });
  served.initHttpServer();
  served.post('/length', async (request: IncomingMessage, response: ServerResponse) => {
    let bytes = 0;
    try {
      for await (const chunk of request as AsyncIterable<Buffer>) bytes += chunk.length;
    } catch {
      return;
    }
    response.end(String(bytes));
  });
  served.get('/large', (_request: IncomingMessage, response: ServerResponse) => {
    response.end(Buffer.alloc(64 * 1024 * 1024));
  });
  served.get('/never', () => undefined);
  for (const path of ['/name', '/healthz', '/readyz']) {
    served.get(path, (request: IncomingMessage, response: ServerResponse) => {
      const { subject } = (request.socket as TLSSocket).getPeerCertificate();
      response.end(String((subject as { CN?: string } | undefined)?.CN));
    });
  }
  const server = served.getHttpServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  port = (server.address() as AddressInfo).port;
}

afterEach(() => served.close());

/** The first line that a connection receives until it ends, when this is sent on it and nothing more. */
async function sent(text: string): Promise<string> {
  const socket = await connected();
  let received = '';
  socket.on('data', (chunk: Buffer) => (received += chunk.toString()));
  socket.write(text);
  await eventually('the connection ends', () => socket.closed);
  return received.split('\r\n')[0] ?? '';
}

async function connected(): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  return socket;
}

const connections = (): Promise<number> =>
  new Promise((resolve, reject) => {
    served.getHttpServer().getConnections((error, count) => (error ? reject(error) : resolve(count)));
  });

const post = (body: string, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(`http://127.0.0.1:${port}/length`, { method: 'POST', body, headers });

describe('a slow client', () => {
  it.each([
    ['sends nothing', '', 'HTTP/1.1 408 Request Timeout'],
    ['stops within its headers', 'POST /length HTTP/1.1\r\nHost: a\r\n', 'HTTP/1.1 408 Request Timeout'],
    [
      'stops within its body',
      'POST /length HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab',
      'HTTP/1.1 408 Request Timeout',
    ],
  ])('that %s is disconnected', async (_, text, answer) => {
    await serve({ timeouts: SHORT });
    expect(await sent(text)).toBe(answer);
  });

  it('that waits for a response, while nothing moves, is disconnected', async () => {
    await serve({ timeouts: { ...TIMEOUTS, silence: 200 } });
    expect(await sent('GET /never HTTP/1.1\r\nHost: a\r\n\r\n')).toBe('');
  });

  it('that has read its response stays connected, while one that has not is disconnected', async () => {
    await serve({ timeouts: SHORT });
    const [reads, waits] = [await connected(), await connected()];
    let responses = 0;
    reads.on('data', () => responses++);
    const request = 'POST /length HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\na';
    reads.write(request);
    waits.write('GET /large HTTP/1.1\r\nHost: a\r\n\r\n');
    await eventually('the other is disconnected', async () => (await connections()) === 1);
    expect(responses).toBe(1);
    reads.write(request);
    await eventually('it has another response', () => responses === 2);
  });

  it('that does not read its response is disconnected', async () => {
    await serve({ timeouts: SHORT });
    const socket = await connected();
    socket.write('GET /large HTTP/1.1\r\nHost: a\r\n\r\n');
    await eventually('the connection is open', async () => (await connections()) === 1);
    await eventually('the connection is closed', async () => (await connections()) === 0);
  });

  it('that does not read its response over TLS is disconnected', async () => {
    const authority = await CertificateAuthority.create();
    const context = await authority.sign(['127.0.0.1']);
    const tls = { context, serverOptions: {}, requestsCertificates: false, onRenewed: () => undefined };
    await serve({ timeouts: SHORT, tls });
    const socket = connectTls({ port, host: '127.0.0.1', ca: authority.cert });
    authority.remove();
    socket.on('error', () => undefined);
    await once(socket, 'secureConnect');
    socket.pause().write('GET /large HTTP/1.1\r\nHost: a\r\n\r\n');
    await eventually('the connection is open', async () => (await connections()) === 1);
    await eventually('the connection is closed', async () => (await connections()) === 0);
    socket.destroy();
  });

  it.each([
    ['sends nothing', Buffer.alloc(0)],
    ['stops within its first message', Buffer.from('1603010200010001fc0303', 'hex')],
  ])('whose TLS handshake %s is disconnected', async (_, bytes) => {
    const authority = await CertificateAuthority.create();
    const context = await authority.sign(['127.0.0.1']);
    authority.remove();
    const serverOptions = { handshakeTimeout: 200 };
    await serve({ tls: { context, serverOptions, requestsCertificates: false, onRenewed: () => undefined } });
    const socket = await connected();
    socket.resume().write(bytes);
    await eventually('the connection ends', () => socket.closed);
    expect(await connections()).toBe(0);
  });

  it('is disconnected when the server stops', async () => {
    await serve();
    const socket = await connected();
    const closed = served.close();
    await eventually('the connection ends', () => socket.closed);
    await closed;
  });
});

it('has the limits of time that the documentation states', async () => {
  await serve();
  expect(served.getHttpServer()).toMatchObject({
    headersTimeout: 10_000,
    requestTimeout: 30_000,
    keepAliveTimeout: 65_000,
    timeout: 300_000,
  });
  expect(TIMEOUTS.unread).toBe(30_000);
});

it('remembers no connection that has closed', async () => {
  await serve();
  const socket = await connected();
  await eventually('it is open', () => served['sockets'].size === 1);
  socket.destroy();
  await eventually('it is forgotten', () => served['sockets'].size === 0);
});

describe('headers', () => {
  it('may contain an authorization of the largest size', async () => {
    await serve();
    const answer = await post('abc', { Authorization: `Bearer ${'a'.repeat(16 * 1024 - 7)}` });
    expect(await answer.text()).toBe('3');
  });

  it.each([
    [200, '200'],
    [201, '431'],
    [2_000, '431'],
  ])('may be 200, and are rejected with 431 where they are %i', async (count, code) => {
    await serve();
    const own = ['Host: a', 'Content-Length: 0', 'Connection: close'];
    const others = Array.from({ length: count - own.length }, (_, i) => `X-${i}: a`);
    const text = ['POST /length HTTP/1.1', ...own, ...others, '', ''].join('\r\n');
    expect(await sent(text)).toContain(code);
  });

  it('that are too many end their connection, and take no more memory than the allowed', async () => {
    await serve();
    let kept = 0;
    served.getHttpServer().on('request', ({ rawHeaders }) => (kept = rawHeaders.length / 2));
    const headers = Array.from({ length: 2_000 }, (_, i) => `X-${i}: a`);
    const text = ['GET /name HTTP/1.1', 'Host: a', ...headers, '', ''].join('\r\n');
    expect(await sent(text)).toContain('431');
    // Node takes them up some tens at a time.
    expect(kept).toBeLessThan(300);
  });

  it('above the size limit are rejected with 431', async () => {
    await serve();
    expect((await post('abc', { 'X-Long': 'a'.repeat(33 * 1024) })).status).toBe(431);
  });
});

it('connections above the share of their address are rejected and reported, and accepted again once others close', async () => {
  await serve({ maxConnections: 3 });
  const first = await connected();
  await connected();
  const third = await connected();
  await eventually('the third is closed', () => third.closed);
  expect(rejected).toBe(1);
  first.destroy();
  await eventually('another is accepted', async () => (await post('ab')).ok);
});

describe('TLS', () => {
  let authority: CertificateAuthority;
  let another: CertificateAuthority;
  let renew: (context: SecureContextOptions) => void;

  beforeAll(async () => {
    authority = await CertificateAuthority.create();
    another = await CertificateAuthority.create('another authority');
  });

  afterAll(() => {
    authority.remove();
    another.remove();
  });

  async function serveTls(requestsCertificates: boolean): Promise<void> {
    const { cert, key } = await authority.sign(['first', '127.0.0.1']);
    const tls: HttpTls = {
      context: { cert, key, ca: authority.cert },
      serverOptions: { requestCert: requestsCertificates },
      requestsCertificates,
      onRenewed: (listener) => (renew = listener),
    };
    await serve({ tls });
  }

  async function get(
    path: string,
    client?: Certified,
    options: RequestOptions & { session?: Buffer } = {},
  ): Promise<string> {
    const request = httpsRequest({
      host: '127.0.0.1',
      port,
      path,
      ca: authority.cert,
      agent: false,
      ...(client && { cert: client.cert, key: client.key }),
      ...options,
    }).end();
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    let text = '';
    for await (const chunk of response as AsyncIterable<Buffer>) text += chunk.toString();
    return `${response.statusCode} ${text}`;
  }

  /** A session that the server lets a client resume, of a connection with this certificate or without one. */
  async function sessionOf(version: TlsVersion, client?: Certified): Promise<Buffer> {
    const socket = connectTls({
      host: '127.0.0.1',
      port,
      ca: authority.cert,
      ...only(version),
      ...(client && { cert: client.cert, key: client.key }),
    });
    const [session] = (await once(socket, 'session')) as [Buffer];
    socket.destroy();
    return session;
  }

  it('serves clients that trust the certificate', async () => {
    await serveTls(false);
    expect(await get('/name')).toBe('200 undefined');
    await expect(get('/name', undefined, { ca: another.cert })).rejects.toThrow('certificate');
  });

  it('with client certificates serves only clients with one from a trusted authority', async () => {
    await serveTls(true);
    expect(await get('/name', await authority.sign(['airflow']))).toBe('200 airflow');
    for (const untrusted of [undefined, await another.sign(['airflow'])]) {
      expect(await get('/name', untrusted)).toMatch(/^403 .*QUERY_TLS_CLIENT_CA_FILE/);
      expect(await get('/v2/name', untrusted)).toContain('"reason":"PERMISSION_DENIED"');
    }
  });

  it.each<TlsVersion>(['TLSv1.2', 'TLSv1.3'])(
    'with client certificates rejects a client without a trusted one also where it resumes a session: %s',
    async (version) => {
      await serveTls(true);
      const ofNobody = await sessionOf(version);
      const ofStranger = await sessionOf(version, await another.sign(['airflow']));
      const ofAirflow = await sessionOf(version, await authority.sign(['airflow']));
      for (const session of [ofNobody, ofStranger])
        expect(await get('/name', undefined, { ...only(version), session })).toMatch(/^403/);
      // Its certificate is that of the session: this one presents none.
      expect(await get('/name', undefined, { ...only(version), session: ofAirflow })).toBe('200 airflow');
    },
  );

  it('with client certificates resumes no session once the authority of its certificate was replaced', async () => {
    await serveTls(true);
    const ofAirflow = await sessionOf('TLSv1.3', await authority.sign(['airflow']));
    const { cert, key } = await authority.sign(['first', '127.0.0.1']);
    renew({ cert, key, ca: another.cert });
    expect(await get('/name', undefined, { session: ofAirflow })).toMatch(/^403/);
  });

  it.each<TlsVersion>(['TLSv1.2', 'TLSv1.3'])(
    'with client certificates rejects a client whose certificate has expired since its session, or its connection, began: %s',
    async (version) => {
      await serveTls(true);
      const airflow = await authority.sign(['airflow']);
      const session = await sessionOf(version, airflow);
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      const kept = { ...only(version), agent };
      expect(await get('/name', airflow, kept)).toBe('200 airflow');
      const now = Date.now();
      const clock = jest.spyOn(Date, 'now').mockImplementation(() => now + 10 * YEAR_MS);
      try {
        expect(await get('/name', undefined, { ...only(version), session })).toMatch(/^403 .*expired/);
        expect(await get('/name', airflow, kept)).toMatch(/^403 .*expired/);
      } finally {
        clock.mockRestore();
        agent.destroy();
      }
    },
  );

  it('with client certificates serves health to everyone, on exactly its paths', async () => {
    await serveTls(true);
    for (const path of ['/healthz', '/readyz']) expect(await get(path)).toBe('200 undefined');
    for (const path of ['/metrics', '/HEALTHZ', '/healthz/', '/readyz/../name', '//name', '/healthz?/name']) {
      expect(await get(path)).toMatch(/^403/);
    }
  });

  it('serves new connections with a renewed certificate', async () => {
    await serveTls(false);
    renew(await another.sign(['second', '127.0.0.1']));
    await expect(get('/name')).rejects.toThrow('certificate');
    expect(await get('/name', undefined, { ca: another.cert })).toBe('200 undefined');
  });
});
