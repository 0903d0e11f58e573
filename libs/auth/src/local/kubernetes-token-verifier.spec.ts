import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SettingsError } from '@ajs/config';
import { CertificateAuthority, ManualClock } from '@ajs/testing';
import { AuthError } from '../authorizer.js';
import { parseAuthSection } from './auth-section.js';
import { KubernetesTokenVerifier } from './kubernetes-token-verifier.js';
import { LocalAuthorizer } from './local-authorizer.js';

const ACCOUNT = 'system:serviceaccount:airflow:worker';
const payloadOf = (token: string): string =>
  Buffer.from(JSON.stringify({ token, ca: 'Y2E' })).toString('base64url');
const reviewed = (status: unknown) => ({ kind: 'TokenReview', spec: { token: 'caller-token' }, status });

/** The API of a cluster, as far as TokenReview goes. */
class FakeCluster {
  readonly requests: unknown[] = [];
  answer: { status: number; body: string } = { status: 201, body: '' };

  private constructor(
    private readonly server: Server,
    readonly authority: CertificateAuthority,
    private readonly folder: string,
  ) {}

  static async start(): Promise<FakeCluster> {
    const authority = await CertificateAuthority.create();
    const server = createServer(await authority.sign(['127.0.0.1']));
    const cluster = new FakeCluster(server, authority, mkdtempSync(join(tmpdir(), 'token-review-')));
    server.on('request', (request, response) => {
      let body = '';
      request.on('data', (chunk) => (body += String(chunk)));
      request.on('end', () => {
        cluster.requests.push([request.method, request.url, request.headers.authorization, JSON.parse(body)]);
        response.writeHead(cluster.answer.status, { 'content-type': 'application/json' });
        response.end(cluster.answer.body);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    cluster.mountToken('our-token');
    return cluster;
  }

  says(status: unknown): void {
    this.answer = { status: 201, body: JSON.stringify(reviewed(status)) };
  }

  mountToken(token: string): void {
    writeFileSync(this.tokenFile, `${token}\n`);
  }

  unmountToken(): void {
    rmSync(this.tokenFile);
  }

  tokens(
    config: { audiences?: string[]; apiUrl?: string; caFile?: string; tokenFile?: string } = {},
  ): KubernetesTokenVerifier {
    const apiUrl = `https://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
    const { tokenFile, authority } = this;
    return new KubernetesTokenVerifier({
      apiUrl,
      tokenFile,
      caFile: authority.certFile,
      audiences: [],
      ...config,
    });
  }

  close(): void {
    this.server.closeAllConnections();
    this.server.close();
  }

  stop(): void {
    this.close();
    this.authority.remove();
    rmSync(this.folder, { recursive: true });
  }

  private get tokenFile(): string {
    return join(this.folder, 'token');
  }
}

let cluster: FakeCluster;
beforeEach(async () => {
  cluster = await FakeCluster.start();
  cluster.says({ authenticated: true, user: { username: ACCOUNT, groups: ['system:authenticated'] } });
});
afterEach(() => cluster.stop());

async function refusal(of: KubernetesTokenVerifier, payload = payloadOf('caller-token')): Promise<AuthError> {
  const error: unknown = await of.verify({ payload }).catch((caught: unknown) => caught);
  if (!(error instanceof AuthError)) throw new Error(`not refused: ${JSON.stringify(error)}`);
  expect(error.message).not.toMatch(/caller-token|our-token/);
  return error;
}

describe("a pod's token", () => {
  it('is reviewed by the cluster, called as us, over TLS with its own CA', async () => {
    const { principal, expiresAt: until } = await cluster
      .tokens()
      .verify({ payload: payloadOf('caller-token') });
    expect(cluster.requests).toEqual([
      [
        'POST',
        '/apis/authentication.k8s.io/v1/tokenreviews',
        'Bearer our-token',
        { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', spec: { token: 'caller-token' } },
      ],
    ]);
    expect(principal.name).toBe(ACCOUNT);
    // As for Armada: its own name, and none of the cluster's groups.
    expect([...principal.groups]).toEqual([ACCOUNT, 'everyone']);
    expect(until).toBe(Infinity);
  });

  it('is verified until it expires', async () => {
    const claims = Buffer.from(JSON.stringify({ exp: 1_800_000_000 })).toString('base64url');
    const { expiresAt: until } = await cluster.tokens().verify({ payload: payloadOf(`e30.${claims}.c2ln`) });
    expect(until).toBe(1_800_000_000_000);
  });

  it('is reviewed with the token that is mounted now', async () => {
    const tokens = cluster.tokens();
    await tokens.verify({ payload: payloadOf('caller-token') });
    cluster.mountToken('renewed-token');
    await tokens.verify({ payload: payloadOf('caller-token') });
    expect(cluster.requests).toMatchObject([
      [expect.anything(), expect.anything(), 'Bearer our-token', {}],
      [expect.anything(), expect.anything(), 'Bearer renewed-token', {}],
    ]);
  });

  it('must have one of our audiences, where they are configured', async () => {
    const tokens = cluster.tokens({ audiences: ['jobs', 'other'] });
    const user = { username: ACCOUNT };
    cluster.says({ authenticated: true, user, audiences: ['jobs'] });
    expect((await tokens.verify({ payload: payloadOf('caller-token') })).principal.name).toBe(ACCOUNT);
    expect(cluster.requests).toMatchObject([
      [expect.anything(), expect.anything(), expect.anything(), { spec: { audiences: ['jobs', 'other'] } }],
    ]);
    for (const audiences of [['https://kubernetes.default.svc'], [], undefined]) {
      cluster.says({ authenticated: true, user, audiences });
      expect(await refusal(tokens)).toMatchObject({ kind: 'unauthenticated' });
    }
  });

  it.each([
    [
      'the cluster does not authenticate it',
      { authenticated: false, error: 'token caller-token has expired' },
    ],
    ['the cluster gives no verdict', {}],
    ['the cluster names a user without a verdict', { user: { username: ACCOUNT } }],
    [
      'the cluster names a user that it does not authenticate',
      { authenticated: false, user: { username: ACCOUNT } },
    ],
    ['the cluster names no user', { authenticated: true }],
  ])('is refused where %s', async (_, status) => {
    cluster.says(status);
    expect((await refusal(cluster.tokens())).kind).toBe('unauthenticated');
  });

  it('is refused without asking the cluster where the payload holds no token', async () => {
    for (const payload of ['', '!', Buffer.from('{"ca":"x"}').toString('base64url')]) {
      expect((await refusal(cluster.tokens(), payload)).kind).toBe('unauthenticated');
    }
    expect(cluster.requests).toEqual([]);
  });
});

describe('a cluster that gives no review', () => {
  it.each([
    ['it denies us reviews', 403, JSON.stringify({ kind: 'Status', message: 'caller-token' }), 'HTTP 403'],
    ['it fails', 500, '', 'HTTP 500'],
    ['it answers with something else', 201, '{"spec":{"token":"caller-token"}}', 'not a TokenReview'],
    ...[
      { authenticated: 'true', user: { username: 'x' } },
      { authenticated: 1, user: { username: 'x' } },
      { authenticated: true, user: { username: ['x'] } },
      { authenticated: true, user: { username: '' } },
      { authenticated: true, user: { username: 'x' }, audiences: 'jobs' },
    ].map((status): [string, number, string, string] => [
      `it answers with a field of the wrong type, ${JSON.stringify(status)}`,
      201,
      JSON.stringify({ status }),
      'not a TokenReview',
    ]),
    ['it answers without JSON', 201, 'caller-token', 'not a TokenReview'],
    ['its answer is too long', 201, 'x'.repeat(300_000), 'answered with more than 262144 bytes'],
  ])('makes the verdict unavailable, not a refusal: %s', async (_, status, body, reason) => {
    cluster.answer = { status, body };
    const error = await refusal(cluster.tokens());
    expect(error.kind).toBe('unavailable');
    expect(error.message).toContain(reason);
  });

  it('makes the verdict unavailable while it is down', async () => {
    const tokens = cluster.tokens();
    cluster.close();
    expect((await refusal(tokens)).kind).toBe('unavailable');
  });

  it('makes the verdict unavailable where its CA is another, or our own token cannot be read', async () => {
    const other = await CertificateAuthority.create();
    try {
      expect((await refusal(cluster.tokens({ caFile: other.certFile }))).kind).toBe('unavailable');
      expect(cluster.requests).toEqual([]);
    } finally {
      other.remove();
    }
    const tokens = cluster.tokens();
    cluster.unmountToken();
    expect((await refusal(tokens)).kind).toBe('unavailable');
  });
});

describe('the files of our own token and the cluster’s CA', () => {
  it('must be there from the start', () => {
    const start = () => cluster.tokens({ tokenFile: '/not/there', caFile: '/nor/this' });
    expect(start).toThrow(SettingsError);
    for (const problem of [
      'tokenFile is "/not/there", which cannot be read: ENOENT',
      'caFile is "/nor/this", which',
    ])
      expect(start).toThrow(`auth.kubernetesAuth.${problem}`);
  });

  it('need no CA where the API is on this machine, without TLS', () => {
    const apiUrl = 'http://127.0.0.1:1';
    expect(() => cluster.tokens({ apiUrl, caFile: '/not/there' })).not.toThrow();
  });
});

describe('the verdict on a reviewed caller', () => {
  let clock: ManualClock;
  let authorizer: LocalAuthorizer;
  beforeEach(() => {
    clock = new ManualClock();
    authorizer = new LocalAuthorizer({
      auth: parseAuthSection({
        content: { kubernetesAuth: {}, queueRules: [{ queue: 'q', groups: [ACCOUNT] }] },
        file: 'settings.yaml',
      }),
      verifiers: { basic: undefined, kubernetes: cluster.tokens(), bearer: undefined },
      queueGrants: undefined,
      verdictTtlMs: 60_000,
      refusalTtlMs: 5_000,
      clock,
    });
  });

  const ask = (token: string, queue = 'q'): Promise<string> =>
    Promise.resolve<string>(
      authorizer.mayWatch({ authorization: `KubernetesAuth ${payloadOf(token)}` }, queue, 'caller'),
    ).catch((error: unknown) => (error as AuthError).kind);

  it('is cached for its time to live, for every queue, and then reviewed again', async () => {
    expect(await ask('caller-token')).toBe('yes');
    cluster.says({ authenticated: false });
    clock.advance(59_999);
    expect(await ask('caller-token', 'other')).toBe('no');
    expect(await ask('caller-token')).toBe('yes');
    expect(cluster.requests).toHaveLength(1);
    clock.advance(1);
    expect(await ask('caller-token')).toBe('unauthenticated');
  });

  it('expires with the token', async () => {
    const claims = Buffer.from(JSON.stringify({ exp: clock.wall() / 1000 + 10 })).toString('base64url');
    const token = `e30.${claims}.c2ln`;
    expect(await ask(token)).toBe('yes');
    cluster.says({ authenticated: false });
    clock.advance(9_999);
    expect(await ask(token)).toBe('yes');
    clock.advance(1);
    expect(await ask(token)).toBe('unauthenticated');
  });

  it('takes one review, however many calls wait for it', async () => {
    expect(await Promise.all([1, 2, 3].map(() => ask('caller-token')))).toEqual(['yes', 'yes', 'yes']);
    expect(cluster.requests).toHaveLength(1);
  });

  it('is cached for a shorter time if it is a refusal', async () => {
    cluster.says({ authenticated: false });
    expect(await ask('caller-token')).toBe('unauthenticated');
    cluster.says({ authenticated: true, user: { username: ACCOUNT } });
    clock.advance(4_999);
    expect(await ask('caller-token')).toBe('unauthenticated');
    clock.advance(1);
    expect(await ask('caller-token')).toBe('yes');
  });

  it('stays cached while the cluster is down; a missing verdict is not cached', async () => {
    expect(await ask('caller-token')).toBe('yes');
    cluster.answer = { status: 500, body: '' };
    expect(await ask('another-token')).toBe('unavailable');
    expect(await ask('caller-token')).toBe('yes');
    cluster.says({ authenticated: true, user: { username: ACCOUNT } });
    expect(await ask('another-token')).toBe('yes');
  });

  it('stays available during a flood of random tokens, of which the cluster sees 37 a second from one address', async () => {
    expect(await ask('caller-token')).toBe('yes');
    cluster.says({ authenticated: false });
    const answers: string[] = [];
    for (let i = 0; i < 20; i++) {
      answers.push(...(await Promise.all(Array.from({ length: 10 }, (_, j) => ask(`random-${i}-${j}`)))));
    }
    expect(answers.filter((answer) => answer === 'unauthenticated')).toHaveLength(36);
    expect(answers.filter((answer) => answer === 'unavailable')).toHaveLength(164);
    expect(cluster.requests).toHaveLength(37);
    clock.advance(60_000);
    cluster.says({ authenticated: true, user: { username: ACCOUNT } });
    for (let i = 0; i < 6; i++)
      await Promise.all(Array.from({ length: 10 }, (_, j) => ask(`other-${i}-${j}`)));
    expect(await ask('stranger')).toBe('unavailable');
    expect(await ask('caller-token')).toBe('yes');
  });
});
