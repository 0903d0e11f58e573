import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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

  it('rejects with the status and what the API said, cut to a length that fits a log', async () => {
    answer = { status: 403, body: JSON.stringify({ message: `you may\n not ${'x'.repeat(400)}` }) };
    await expect(api.create('/things', {})).rejects.toMatchObject({
      name: 'KubernetesApiError',
      status: 403,
      message: `the Kubernetes API answered 403 to POST /things: you may not ${'x'.repeat(288)}`,
    });
  });

  it('gives undefined for an answer that is no JSON', async () => {
    answer = { status: 200, body: '<html>' };
    expect(await api.create('/things', {})).toBeUndefined();
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
