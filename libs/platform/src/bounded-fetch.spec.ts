import { createServer, type RequestListener } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { createServer as createTcpServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { CertificateAuthority, ConnectProxy, freePort } from '@ajs/testing';
import { boundedFetch } from './bounded-fetch.js';

const servers: Server[] = [];
const sockets: Socket[] = [];
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const server of servers.splice(0)) server.close();
});

async function listen(server: Server, scheme = 'http'): Promise<URL> {
  servers.push(server);
  server.on('connection', (socket: Socket) => sockets.push(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return new URL(`${scheme}://127.0.0.1:${(server.address() as AddressInfo).port}/path`);
}

const serve = (handle: RequestListener): Promise<URL> => listen(createServer(handle));

describe('a bounded fetch', () => {
  it('sends method, headers and body, and resolves to whatever the server answers', async () => {
    const url = await serve((request, response) => {
      let body = '';
      request.on('data', (chunk) => (body += String(chunk)));
      request.on('end', () => {
        response.writeHead(418, { 'content-type': 'text/plain' });
        response.end(`${request.method} ${request.url} ${String(request.headers['x-word'])} ${body}`);
      });
    });
    url.search = '?q=1';
    const response = await boundedFetch(url, { method: 'POST', headers: { 'x-word': 'word' }, body: 'text' });
    expect(response).toMatchObject({ status: 418, body: 'POST /path?q=1 word text' });
    expect(response.headers['content-type']).toBe('text/plain');
  });

  it('follows no redirect', async () => {
    const url = await serve((_, response) => void response.writeHead(302, { location: '/else' }).end());
    expect(await boundedFetch(url, { method: 'GET' })).toMatchObject({
      status: 302,
      headers: { location: '/else' },
    });
  });

  it('reads 256 KiB, and rejects an answer that is longer', async () => {
    const url = await serve((request, response) => {
      response.end('x'.repeat(256 * 1024 + (request.url === '/more' ? 1 : 0)));
    });
    expect((await boundedFetch(url, { method: 'GET' })).body).toHaveLength(262_144);
    const more = new URL('/more', url);
    await expect(boundedFetch(more, { method: 'GET' })).rejects.toThrow(
      `${more.href} answered with more than 262144 bytes`,
    );
  });

  it.each([
    ['connecting', () => listen(createTcpServer(), 'https')],
    ['answering', () => serve(() => undefined)],
    ['ending its answer', () => serve((_, response) => void response.write('x'))],
  ])('gives up on a server that takes too long %s', async (_, start) => {
    const url = await start();
    await expect(boundedFetch(url, { method: 'GET', timeOutMs: 50 })).rejects.toThrow(
      `${url.href} did not answer within 0.05 s`,
    );
  });

  it('ends when its caller aborts it, also while it connects', async () => {
    const url = await listen(createTcpServer(), 'https');
    const caller = new AbortController();
    const response = boundedFetch(url, { method: 'GET', signal: caller.signal });
    caller.abort(new Error('this process is shutting down'));
    await expect(response).rejects.toThrow(`${url.href}: this process is shutting down`);
    await expect(boundedFetch(url, { method: 'GET', signal: caller.signal })).rejects.toThrow(
      'this process is shutting down',
    );
  });

  it('names a server that is not there without login and query', async () => {
    const url = await serve(() => undefined);
    servers.splice(0).forEach((server) => server.close());
    const where = url.href;
    Object.assign(url, { username: 'us', password: 'secret', search: '?token=secret' });
    const failure = boundedFetch(url, { method: 'GET' });
    await expect(failure).rejects.toThrow(`${where}: connect ECONNREFUSED`);
    await expect(failure).rejects.not.toThrow('secret');
  });

  it('trusts the roots that it is given and no others, and keeps connections for each set of roots', async () => {
    const [ours, stranger] = [await CertificateAuthority.create(), await CertificateAuthority.create()];
    const server = createTlsServer(await ours.sign(['127.0.0.1']), (_, response) => void response.end('yes'));
    let connections = 0;
    server.on('secureConnection', () => connections++);
    const url = await listen(server, 'https');
    const fetchWith = (ca: string | undefined) =>
      boundedFetch(url, { method: 'GET', ca: ca === undefined ? undefined : Buffer.from(ca) });
    for (let i = 0; i < 10; i++) expect((await fetchWith(ours.cert)).body).toBe('yes');
    // The next request may come a moment before the connection of the last one is free.
    expect(connections).toBeLessThanOrEqual(2);
    await expect(fetchWith(stranger.cert)).rejects.toThrow('certificate');
    await expect(fetchWith(undefined)).rejects.toThrow('certificate');
    ours.remove();
    stranger.remove();
  });

  describe('where the environment names a proxy', () => {
    const variables = ['http_proxy', 'https_proxy', 'no_proxy'] as const;
    const before = variables.map((name) => [name, process.env[name]] as const);
    beforeEach(() => {
      for (const name of variables) process.env[name] = '';
    });
    afterEach(() => {
      for (const [name, value = ''] of before) process.env[name] = value;
    });

    it('goes through it, trusting the given roots of the server', async () => {
      const authority = await CertificateAuthority.create();
      const certificate = await authority.sign(['provider.example']);
      const server = createTlsServer(certificate, (_, response) => void response.end('yes'));
      const proxy = new ConnectProxy(Number((await listen(server, 'https')).port));
      process.env['https_proxy'] = await proxy.listen();
      const url = new URL('https://provider.example/token');
      const ca = Buffer.from(authority.cert);
      expect((await boundedFetch(url, { method: 'GET', ca })).body).toBe('yes');
      expect(proxy.targets).toEqual(['provider.example:443']);
      await expect(boundedFetch(url, { method: 'GET' })).rejects.toThrow('certificate');
      proxy.stop();
      authority.remove();
    });

    it('reads no more through it than without it', async () => {
      const { port } = await serve((_, response) => void response.end('x'.repeat(256 * 1024 + 1)));
      const proxy = new ConnectProxy(Number(port));
      process.env['http_proxy'] = await proxy.listen();
      await expect(boundedFetch(new URL('http://provider.example/'), { method: 'GET' })).rejects.toThrow(
        'answered with more than 262144 bytes',
      );
      proxy.stop();
    });

    it('names it in an error, without its login, and does not ask it for loopback', async () => {
      const address = `127.0.0.1:${await freePort()}`;
      process.env['http_proxy'] = `http://user:secret@${address}`;
      const failure = boundedFetch(new URL('http://provider.example/'), { method: 'GET' });
      await expect(failure).rejects.toThrow(
        `http://provider.example/ (through the proxy http://${address}, set by http_proxy): connect ECONNREFUSED`,
      );
      await expect(failure).rejects.not.toThrow('secret');
      const url = await serve((_, response) => void response.end('direct'));
      expect((await boundedFetch(url, { method: 'GET' })).body).toBe('direct');
      process.env['no_proxy'] = '.example';
      await expect(boundedFetch(new URL('http://provider.example/'), { method: 'GET' })).rejects.toThrow(
        /^http:\/\/provider\.example\/: getaddrinfo/,
      );
    });
  });
});
