import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { loadSettings } from '@ajs/config';
import { CertificateAuthority, TemporaryFolder, eventually } from '@ajs/testing';
import { armadaAccess } from './armada-access.js';
import type { ArmadaIdentity } from './identity.js';

const observer = { renewed: () => undefined, failed: () => undefined };

let folder: TemporaryFolder;
let authority: CertificateAuthority;
/** The API of Kubernetes, or a provider: answers with `answer` to whatever it is sent. */
let server: ReturnType<typeof createServer>;
let port: number;
let requests: { url: string | undefined; body: string }[];
let answer: unknown;
const identities: ArmadaIdentity[] = [];

beforeAll(async () => {
  folder = new TemporaryFolder('credential-kinds');
  authority = await CertificateAuthority.create();
  server = createServer(await authority.sign(['127.0.0.1']), (request, response) => {
    void text(request).then((body) => {
      requests.push({ url: request.url, body });
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify(answer));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  ({ port } = server.address() as AddressInfo);
  writeFileSync(folder.file('ca.crt'), authority.cert);
  writeFileSync(folder.file('token'), 'token-of-the-pod\n');
});
beforeEach(() => {
  requests = [];
});
afterEach(() => {
  for (const identity of identities.splice(0)) identity.close();
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
  authority.remove();
  folder.remove();
});

/** The identity of a pod that has this section `armadaAuth`. */
function identityOf(armadaAuth: string, given: Readonly<Record<string, string>> = {}): ArmadaIdentity {
  const file = folder.file('settings.yaml');
  writeFileSync(file, `armadaAuth: ${armadaAuth}\n`);
  const env = { SSL_CERT_FILE: authority.certFile, ...given };
  const settings = loadSettings({ argv: ['--config', file], env: {} });
  const { identity } = armadaAccess(settings, { env, observer, serviceAccountFolder: folder.file('') });
  identities.push(identity);
  return identity;
}

describe('kubernetesNativeAuth', () => {
  it.each([
    ['expiry: 600', { expirationSeconds: 600 }],
    ['expiry: 0', {}],
  ])('requests a token of the service account: %s', async (expiry, spec) => {
    const expirationTimestamp = new Date(Date.now() + 3_600_000).toISOString();
    answer = { status: { token: 'got', expirationTimestamp } };
    const identity = identityOf(`{ kubernetesNativeAuth: { enabled: true, ${expiry} } }`, {
      KUBERNETES_SERVICE_HOST: '127.0.0.1',
      KUBERNETES_SERVICE_PORT: String(port),
      SERVICE_ACCOUNT: 'query',
      POD_NAMESPACE: 'jobs',
    });
    const [scheme, payload = ''] = (await identity.authorization())?.split(' ') ?? [];
    expect([scheme, JSON.parse(Buffer.from(payload, 'base64url').toString())]).toEqual([
      'KubernetesAuth',
      { token: 'got', ca: Buffer.from(authority.cert).toString('base64url') },
    ]);
    expect(requests.map(({ url, body }) => [url, (JSON.parse(body) as { spec: unknown }).spec])).toEqual([
      ['/api/v1/namespaces/jobs/serviceaccounts/query/token', spec],
    ]);
  });
});

describe('openIdKubernetesAuth', () => {
  const section = () =>
    `{ openIdKubernetesAuth: { providerUrl: "https://127.0.0.1:${port}", clientId: c, scopes: "one,,two" } }`;

  it.each([
    [{}, 'token-of-the-pod'],
    [{ K8S_SERVICEACCOUNT_TOKEN: 'given' }, 'given'],
  ])(
    'exchanges the mounted token, or that of the environment, at a provider of a system root: %j',
    async (env, sent) => {
      answer = { access_token: 'got', token_type: 'Bearer', expires_in: 60 };
      expect(await identityOf(section(), env).authorization()).toBe('Bearer got');
      const form = new URLSearchParams(requests[0]?.body);
      expect([form.get('client_assertion'), form.get('scope')]).toEqual([sent, 'one two']);
    },
  );

  it('trusts no provider without one', async () => {
    const other = await CertificateAuthority.create();
    const identity = identityOf(section(), { SSL_CERT_FILE: other.certFile });
    await expect(identity.authorization()).rejects.toThrow('certificate');
    other.remove();
  });
});

it('execAuth runs its command again only for a call that comes when its token has expired', async () => {
  const exp = Math.ceil(Date.now() / 1_000) + 1;
  const claims = Buffer.from(JSON.stringify({ exp })).toString('base64url');
  const runs = folder.file('runs');
  const identity = identityOf(
    `{ execAuth: { cmd: /bin/sh, args: [-c, 'echo run >> ${runs}; echo e30.${claims}.x'] } }`,
  );
  expect(await identity.authorization()).toBe(`Bearer e30.${claims}.x`);
  await eventually('it runs again', async () => {
    // By then the command prints a token that has expired.
    await identity.authorization().catch(() => undefined);
    return readFileSync(runs, 'utf8') === 'run\nrun\n';
  });
  expect(Date.now()).toBeGreaterThanOrEqual(exp * 1_000);
});
