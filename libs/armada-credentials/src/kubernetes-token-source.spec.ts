import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KubernetesApi } from '@ajs/platform';
import { CertificateAuthority } from '@ajs/testing';
import { kubernetesTokenSource } from './kubernetes-token-source.js';

const never = new AbortController().signal;
const END = '2027-01-15T08:00:00Z';
const ACCOUNT = { where: 'kubernetesNativeAuth', namespace: 'jobs', name: 'poller', expirySeconds: 3600 };

/** The API of a cluster, as far as TokenRequest goes, and the folder that it mounts into a pod. */
class FakeCluster {
  readonly folder = mkdtempSync(join(tmpdir(), 'serviceaccount-'));
  readonly requests: unknown[] = [];
  answer: { status: number; body: unknown } = {
    status: 201,
    body: { kind: 'TokenRequest', status: { token: 'a.token.of-the-account', expirationTimestamp: END } },
  };

  private constructor(
    private readonly server: Server,
    readonly authority: CertificateAuthority,
  ) {}

  static async start(): Promise<FakeCluster> {
    const authority = await CertificateAuthority.create();
    const server = createServer(await authority.sign(['127.0.0.1']));
    const cluster = new FakeCluster(server, authority);
    server.on('request', (request, response) => {
      let body = '';
      request.on('data', (chunk) => (body += String(chunk)));
      request.on('end', () => {
        const { authorization } = request.headers;
        cluster.requests.push([request.method, request.url, authorization, JSON.parse(body)]);
        response.writeHead(cluster.answer.status, { 'content-type': 'application/json' });
        response.end(JSON.stringify(cluster.answer.body));
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    writeFileSync(join(cluster.folder, 'ca.crt'), authority.cert);
    cluster.mountToken('pod-token');
    return cluster;
  }

  mountToken(token: string): void {
    writeFileSync(join(this.folder, 'token'), `${token}\n`);
  }

  api(): KubernetesApi {
    const port = String((this.server.address() as AddressInfo).port);
    const env = { KUBERNETES_SERVICE_HOST: '127.0.0.1', KUBERNETES_SERVICE_PORT: port };
    const api = KubernetesApi.inCluster(env, this.folder);
    if (api === undefined) throw new Error('this is a cluster');
    return api;
  }

  stop(): void {
    this.server.closeAllConnections();
    this.server.close();
    this.authority.remove();
    rmSync(this.folder, { recursive: true });
  }
}

let cluster: FakeCluster;
beforeEach(async () => {
  cluster = await FakeCluster.start();
});
afterEach(() => cluster.stop());

describe("a service account's token", () => {
  it("is requested with the pod's own token and wrapped with the cluster's CA", async () => {
    // The standard base64 of it would end with "=".
    const padding = '\n'.repeat(3 - ((cluster.authority.cert.length + 2) % 3));
    writeFileSync(join(cluster.folder, 'ca.crt'), `${cluster.authority.cert}${padding}`);
    const { authorization, expiresAt } = await kubernetesTokenSource(ACCOUNT, cluster.api()).fetch(never);
    expect(cluster.requests).toEqual([
      [
        'POST',
        '/api/v1/namespaces/jobs/serviceaccounts/poller/token',
        'Bearer pod-token',
        {
          apiVersion: 'authentication.k8s.io/v1',
          kind: 'TokenRequest',
          spec: { expirationSeconds: 3600 },
        },
      ],
    ]);
    const [scheme, payload = ''] = authorization.split(' ');
    expect(scheme).toBe('KubernetesAuth');
    expect(payload).toMatch(/^[\w-]+$/);
    const { token, ca } = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Record<string, string>;
    expect(token).toBe('a.token.of-the-account');
    expect(ca).toMatch(/^[\w-]+$/);
    expect(Buffer.from(ca ?? '', 'base64url').toString()).toBe(`${cluster.authority.cert}${padding}`);
    expect(expiresAt).toBe(Date.parse(END));
  });

  it("is requested with the pod's current token, and with the API's default lifetime where none is set", async () => {
    const source = kubernetesTokenSource({ ...ACCOUNT, expirySeconds: undefined }, cluster.api());
    await source.fetch(never);
    cluster.mountToken('another');
    await source.fetch(never);
    const path: unknown = expect.any(String);
    expect(cluster.requests).toMatchObject([
      ['POST', path, 'Bearer pod-token', { spec: {} }],
      ['POST', path, 'Bearer another', { spec: {} }],
    ]);
  });

  it('is requested for an account of any name', async () => {
    const account = { ...ACCOUNT, namespace: 'a/b', name: '../c?d' };
    await kubernetesTokenSource(account, cluster.api()).fetch(never);
    expect(cluster.requests.map((request) => (request as unknown[])[1])).toEqual([
      '/api/v1/namespaces/a%2Fb/serviceaccounts/..%2Fc%3Fd/token',
    ]);
  });

  it('is given up when this process shuts down', async () => {
    const stopping = AbortSignal.abort(new Error('this process is shutting down'));
    await expect(kubernetesTokenSource(ACCOUNT, cluster.api()).fetch(stopping)).rejects.toThrow(
      'this process is shutting down',
    );
    expect(cluster.requests).toEqual([]);
  });

  it('rejects with what the API said if it is refused', async () => {
    cluster.answer = {
      status: 403,
      body: { kind: 'Status', message: 'serviceaccounts "poller" is forbidden' },
    };
    await expect(kubernetesTokenSource(ACCOUNT, cluster.api()).fetch(never)).rejects.toThrow(
      'the Kubernetes API answered 403 to POST /api/v1/namespaces/jobs/serviceaccounts/poller/token: serviceaccounts "poller" is forbidden',
    );
  });

  it('rejects if the answer holds no token', async () => {
    cluster.answer = { status: 201, body: { status: { token: '' } } };
    await expect(kubernetesTokenSource(ACCOUNT, cluster.api()).fetch(never)).rejects.toThrow(
      'not a TokenRequest',
    );
  });

  it('is requested from a server of the cluster’s CA alone', async () => {
    const stranger = await CertificateAuthority.create();
    writeFileSync(join(cluster.folder, 'ca.crt'), stranger.cert);
    stranger.remove();
    await expect(kubernetesTokenSource(ACCOUNT, cluster.api()).fetch(never)).rejects.toThrow('certificate');
    expect(cluster.requests).toEqual([]);
  });
});
