import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { CertificateAuthority } from '@ajs/testing';
import { KubernetesApi } from './kubernetes-api.js';

describe('the Kubernetes API', () => {
  const folder = mkdtempSync(join(tmpdir(), 'kubernetes-api-'));
  const tokenFile = join(folder, 'token');
  let server: Server;
  let answer: { status: number; body: string };
  let requests: unknown[];
  let api: KubernetesApi;

  beforeEach(async () => {
    requests = [];
    answer = { status: 201, body: '{"kind":"Thing"}' };
    server = createServer((request, response) => {
      requests.push([request.method, request.url, request.headers.authorization]);
      response.writeHead(answer.status).end(answer.body);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    writeFileSync(tokenFile, 'token-of-the-pod\n');
    api = new KubernetesApi({ url, tokenFile, caFile: '/not/there' });
  });
  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it('is called with the mounted token, and without a CA where it has no TLS', async () => {
    expect(await api.create('/things', {})).toEqual({ kind: 'Thing' });
    expect(requests).toEqual([['POST', '/things', 'Bearer token-of-the-pod']]);
  });

  it.each(['/clusters/one', '/clusters/one/'])('is called below the path of its URL: %s', async (path) => {
    const { port } = server.address() as AddressInfo;
    const url = new URL(`http://127.0.0.1:${port}${path}`);
    await new KubernetesApi({ url, tokenFile, caFile: '/not/there' }).create('/things', {});
    expect(requests).toEqual([['POST', '/clusters/one/things', 'Bearer token-of-the-pod']]);
  });

  it('rejects with the status and what the API said, cut to a length that fits a log', async () => {
    answer = { status: 403, body: JSON.stringify({ message: `you may\n not ${'x'.repeat(400)}` }) };
    await expect(api.create('/things', {})).rejects.toMatchObject({
      name: 'KubernetesApiError',
      status: 403,
      message: `the Kubernetes API answered 403 to POST /things: you may not ${'x'.repeat(288)}`,
    });
  });

  it.each([200, 202])('has created only what it answers so: %d', async (status) => {
    answer = { ...answer, status };
    const created = api.create('/things', {});
    if (status === 200) expect(await created).toEqual({ kind: 'Thing' });
    else await expect(created).rejects.toMatchObject({ status });
  });

  it('is not waited for longer than its caller does', async () => {
    server.removeAllListeners('request');
    await expect(api.create('/things', {}, { timeOutMs: 50 })).rejects.toThrow(
      'did not answer within 0.05 s',
    );
  });

  it('gives undefined for an answer that is no JSON', async () => {
    answer = { status: 200, body: '<html>' };
    expect(await api.create('/things', {})).toBeUndefined();
  });
});

describe('inside of a cluster', () => {
  it('the API is that of the environment, trusted by the mounted CA and called with the token of the moment', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'service-account-'));
    const authority = await CertificateAuthority.create();
    const requests: unknown[] = [];
    const server = createTlsServer(await authority.sign(['127.0.0.1']), (request, response) => {
      void text(request).then((body) => {
        requests.push([request.headers.authorization, request.headers['content-type'], body]);
        response.writeHead(201).end('{}');
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const env = { KUBERNETES_SERVICE_HOST: '127.0.0.1', KUBERNETES_SERVICE_PORT: String(port) };
    try {
      const api = KubernetesApi.inCluster(env, folder);
      writeFileSync(join(folder, 'ca.crt'), authority.cert);
      for (const token of ['first', 'second']) {
        writeFileSync(join(folder, 'token'), token);
        expect(await api?.create('/things', { token })).toEqual({});
      }
      expect(requests).toEqual([
        ['Bearer first', 'application/json', '{"token":"first"}'],
        ['Bearer second', 'application/json', '{"token":"second"}'],
      ]);
    } finally {
      server.closeAllConnections();
      server.close();
      authority.remove();
      rmSync(folder, { recursive: true });
    }
  });

  it('the API may be at an address of IPv6', async () => {
    const env = { KUBERNETES_SERVICE_HOST: '::1', KUBERNETES_SERVICE_PORT: '1' };
    const folder = mkdtempSync(join(tmpdir(), 'service-account-'));
    for (const name of ['token', 'ca.crt']) writeFileSync(join(folder, name), '');
    try {
      await expect(KubernetesApi.inCluster(env, folder)?.create('/things', {})).rejects.toThrow(
        'https://[::1]:1/things',
      );
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe('outside of a cluster', () => {
  it.each([
    {},
    { KUBERNETES_SERVICE_HOST: 'h' },
    { KUBERNETES_SERVICE_HOST: 'h', KUBERNETES_SERVICE_PORT: 'x' },
  ])('there is no API: %j', (env) => {
    expect(KubernetesApi.inCluster(env)).toBeUndefined();
  });
});
