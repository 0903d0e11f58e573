import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { request as httpsRequest, type RequestOptions } from 'node:https';
import { connect, type AddressInfo, type Socket } from 'node:net';
import type { SecureContextOptions, TLSSocket } from 'node:tls';
import { CertificateAuthority, eventually, type Certified } from '@ajs/testing';
import { BoundedHttp, PATIENCE, type HttpBounds, type ServedTls } from './bounded-http.js';

const SHORT = {
  ...PATIENCE,
  headersTimeout: 200,
  requestTimeout: 400,
  connectionsCheckingInterval: 50,
  silence: 1_000,
};

let served: BoundedHttp;
let port: number;
let refused: number;

async function serve(bounds: Partial<HttpBounds> = {}): Promise<void> {
  refused = 0;
  served = new BoundedHttp({ maxConnections: 100, refused: () => refused++, ...bounds });
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

/** What a connection says until it ends, when this is sent on it and nothing more. */
async function sent(text: string): Promise<string> {
  const socket = await connected();
  let heard = '';
  socket.on('data', (chunk: Buffer) => (heard += chunk.toString()));
  socket.write(text);
  await eventually('the connection ends', () => socket.closed);
  return heard.split('\r\n')[0] ?? '';
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
    ['says nothing', '', 'HTTP/1.1 408 Request Timeout'],
    ['stops within its headers', 'POST /length HTTP/1.1\r\nHost: a\r\n', 'HTTP/1.1 408 Request Timeout'],
    [
      'stops within its body',
      'POST /length HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab',
      'HTTP/1.1 408 Request Timeout',
    ],
  ])('that %s is cut off', async (_, text, answer) => {
    await serve({ patience: SHORT });
    expect(await sent(text)).toBe(answer);
  });

  it('that does not read its answer is cut off', async () => {
    await serve({ patience: SHORT });
    const socket = await connected();
    socket.write('GET /large HTTP/1.1\r\nHost: a\r\n\r\n');
    await eventually('the connection is there', async () => (await connections()) === 1);
    await eventually('it is gone', async () => (await connections()) === 0);
  });

  it('is cut off when the server stops', async () => {
    await serve();
    const socket = await connected();
    await served.close();
    await eventually('the connection ends', () => socket.closed);
  });
});

describe('headers', () => {
  it('may hold the largest authorization', async () => {
    await serve();
    const answer = await post('abc', { Authorization: `Bearer ${'a'.repeat(16 * 1024 - 7)}` });
    expect(await answer.text()).toBe('3');
  });

  it('larger than their bound are refused', async () => {
    await serve();
    expect((await post('abc', { 'X-Long': 'a'.repeat(33 * 1024) })).status).toBe(431);
  });
});

it('connections above their number are closed as they come, and told of', async () => {
  await serve({ maxConnections: 2 });
  const first = await connected();
  await connected();
  const third = await connected();
  await eventually('the third is closed', () => third.closed);
  expect(refused).toBe(1);
  first.destroy();
  await eventually('another is taken', async () => (await post('ab')).ok);
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

  async function serveTls(asksForCertificates: boolean): Promise<void> {
    const { cert, key } = await authority.sign(['first', '127.0.0.1']);
    const tls: ServedTls = {
      context: { cert, key, ca: authority.cert },
      serverOptions: { requestCert: asksForCertificates },
      asksForCertificates,
      onRenewed: (listener) => (renew = listener),
    };
    await serve({ tls });
  }

  async function get(path: string, shown?: Certified, options: RequestOptions = {}): Promise<string> {
    const asked = httpsRequest({
      host: '127.0.0.1',
      port,
      path,
      ca: authority.cert,
      agent: false,
      ...(shown && { cert: shown.cert, key: shown.key }),
      ...options,
    }).end();
    const [response] = (await once(asked, 'response')) as [IncomingMessage];
    let text = '';
    for await (const chunk of response as AsyncIterable<Buffer>) text += chunk.toString();
    return `${response.statusCode} ${text}`;
  }

  it('serves who trusts the certificate', async () => {
    await serveTls(false);
    expect(await get('/name')).toBe('200 undefined');
    await expect(get('/name', undefined, { ca: another.cert })).rejects.toThrow('certificate');
  });

  it('with client certificates serves who has one of the right authority', async () => {
    await serveTls(true);
    expect(await get('/name', await authority.sign(['airflow']))).toBe('200 airflow');
    for (const shown of [undefined, await another.sign(['airflow'])]) {
      expect(await get('/name', shown)).toMatch(/^403 .*QUERY_TLS_CLIENT_CA_FILE/);
    }
  });

  it('with client certificates tells the health to everyone, by its very paths', async () => {
    await serveTls(true);
    for (const path of ['/healthz', '/readyz']) expect(await get(path)).toBe('200 undefined');
    for (const path of ['/HEALTHZ', '/healthz/', '/readyz/../name', '//name', '/healthz?/name']) {
      expect(await get(path)).toMatch(/^403/);
    }
  });

  it('serves new connections with a new certificate', async () => {
    await serveTls(false);
    renew(await another.sign(['second', '127.0.0.1']));
    await expect(get('/name')).rejects.toThrow('certificate');
    expect(await get('/name', undefined, { ca: another.cert })).toBe('200 undefined');
  });
});
