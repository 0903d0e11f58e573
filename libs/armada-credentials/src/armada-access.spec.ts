import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SettingsError, loadSettings } from '@ajs/config';
import { CertificateAuthority } from '@ajs/testing';
import { armadaAccess, type ArmadaAccess } from './index.js';

const folder = mkdtempSync(join(tmpdir(), 'access-'));
let authority: CertificateAuthority;
beforeAll(async () => {
  authority = await CertificateAuthority.create();
});
afterAll(() => {
  authority.remove();
  rmSync(folder, { recursive: true });
});

type Env = Readonly<Record<string, string>>;

const observer = { renewed: () => undefined, failed: () => undefined };
const FILE = join(folder, 'armadactl.yaml');
const OURS = join(folder, 'settings.yaml');

function accessOf(given: Env): ArmadaAccess {
  // The system's roots are many and take their time.
  const env = { SSL_CERT_FILE: authority.certFile, ...given };
  return armadaAccess(loadSettings({ argv: [], env }), { env, observer });
}

/** With a file of armadactl that holds this. */
function fromFile(text: string, env: Env = {}): ArmadaAccess {
  writeFileSync(FILE, text);
  return accessOf({ ARMADACTL_CONFIG: FILE, ...env });
}

/** With a settings file of ours that holds this. */
function fromOurs(text: string, env: Env = {}): ArmadaAccess {
  writeFileSync(OURS, text);
  return accessOf({ CONFIG_FILE: OURS, ...env });
}

function problemsOf(read: () => ArmadaAccess): string {
  try {
    read();
  } catch (error) {
    expect(error).toBeInstanceOf(SettingsError);
    expect((error as Error).message).not.toContain('hidden');
    return (error as Error).message;
  }
  throw new Error('no problem was found');
}

/** A context `main` that is the current one. */
const main = (...lines: string[]): string =>
  ['currentContext: main', 'contexts:', '  main:', ...lines.map((line) => `    ${line}`)].join('\n');

const URL_LINE = 'armadaUrl: armada.example.com:443';
const BASIC = 'basicAuth: { username: us, password: "0123" }';
const EXEC = 'execAuth: { cmd: /bin/echo, args: [token] }';
const OPEN_ID = 'providerUrl: https://provider.example.com, clientId: service';

describe('an armadactl file', () => {
  it('gives the address and the identity of its current context', async () => {
    const { transport, identity, summary, warnings } = fromFile(main(URL_LINE, BASIC));
    expect(transport.address).toBe('armada.example.com:443');
    expect(await identity.authorization()).toBe(`basic ${Buffer.from('us:0123').toString('base64')}`);
    expect(summary).toEqual({ armada: 'armada.example.com:443', armadaTls: true, armadaAuth: 'basicAuth' });
    expect(warnings).toEqual([]);
  });

  it('may have its keys and the name of its context in any case', async () => {
    const { transport, identity } = fromFile(
      'CURRENTCONTEXT: MAIN\nContexts:\n  main:\n    ARMADAURL: a:1\n    forcenotls: TRUE\n    BasicAuth: { UserName: us, PASSWORD: p }\n',
    );
    expect(transport.address).toBe('a:1');
    expect(await identity.authorization()).toBe(`basic ${Buffer.from('us:p').toString('base64')}`);
  });

  it('may have the deprecated form, with a warning, and then defaults to localhost:50051', () => {
    const { transport, summary, warnings } = fromFile('basicAuth: { username: us, password: p }\n');
    expect(transport.address).toBe('localhost:50051');
    expect(summary).toMatchObject({ armadaTls: false, armadaAuth: 'basicAuth' });
    expect(warnings[0]).toContain(`${FILE} has no currentContext`);
    expect(fromFile('armadaUrl: a:1\n').transport.address).toBe('a:1');
  });

  it.each([
    ['the context', main(URL_LINE), {}, 'armada.example.com:443'],
    ['the top of the file', `armadaUrl: top:1\n${main(URL_LINE)}`, {}, 'top:1'],
    [
      'the top, unless that is the default',
      `armadaUrl: localhost:50051\n${main(URL_LINE)}`,
      {},
      'armada.example.com:443',
    ],
    ['ARMADAURL', `armadaUrl: top:1\n${main(URL_LINE)}`, { ARMADAURL: 'env:1' }, 'env:1'],
    ['ARMADA_URL', main(URL_LINE), { ARMADAURL: 'env:1', ARMADA_URL: 'ours:1' }, 'ours:1'],
    ['ARMADA_URL alone', main(), { ARMADA_URL: 'ours:1' }, 'ours:1'],
  ])('has the address of %s', (_, text, env: Env, address) => {
    expect(fromFile(text, env).transport.address).toBe(address);
  });

  it('has another context with CURRENTCONTEXT', () => {
    const text = `${main(URL_LINE)}\n  other:\n    armadaUrl: other:1\n`;
    expect(fromFile(text, { CURRENTCONTEXT: 'other' }).transport.address).toBe('other:1');
    expect(problemsOf(() => fromFile(text, { CURRENTCONTEXT: 'third' }))).toContain(
      `CURRENTCONTEXT (environment) is "third", but must be one of the contexts of ${FILE}: main, other`,
    );
  });

  it('may hold anchors and keys for armadactl alone, and gives a warning for unknown keys', () => {
    const { transport, warnings } = fromFile(
      `shared: &shared\n  armadaUrl: a:1\n${main('<<: *shared', 'grpcKeepAliveTime: 30s', 'basciAuth: { username: us }')}`,
    );
    expect(transport.address).toBe('a:1');
    expect(warnings).toEqual([`contexts.main.basciAuth (${FILE}) has no effect here and is ignored`]);
  });

  it.each([
    [main(BASIC), `contexts.main.armadaUrl (${FILE}) is missing: a context has no default`],
    [
      main('armadaUrl: https://a:1'),
      `contexts.main.armadaUrl (${FILE}) is "https://a:1", but must be host:port`,
    ],
    ['armadaUrl: a\n', `armadaUrl (${FILE}) is "a", but must be host:port`],
    [
      'currentContext: nope\n',
      `currentContext (${FILE}) is "nope", but must be one of the contexts of ${FILE}: it has none`,
    ],
    [
      'contexts:\n  main:\n    armadaUrl: a:1\n',
      `currentContext (${FILE}) is missing; set it to one of the contexts: main`,
    ],
    ['- hidden\n', 'must consist of "name: value" lines'],
    ['contexts: hidden\n', `contexts (${FILE}) must be a map`],
    [main(URL_LINE, 'basicAuth: hidden'), `contexts.main.basicAuth (${FILE}) must be a map`],
    [
      main(URL_LINE, 'basicAuth: { username: [hidden] }'),
      `contexts.main.basicAuth.username (${FILE}) must be a single value`,
    ],
    [main(URL_LINE, 'forceNoTls: hidden'), `contexts.main.forceNoTls (${FILE}) must be true or false`],
    [
      main(URL_LINE, 'execAuth: { cmd: x, env: [hidden] }'),
      `contexts.main.execAuth.env (${FILE}) must be a list of maps`,
    ],
    ['password: "hidden\nb: c: d\n', `the file ${FILE} cannot be read: it is not valid YAML at line 3`],
  ])('is refused, with the key and never its value: %j', (text, problem) => {
    expect(problemsOf(() => fromFile(text))).toContain(problem);
  });

  it('is refused if it does not exist', () => {
    expect(problemsOf(() => accessOf({ ARMADACTL_CONFIG: '/nowhere/a.yaml' }))).toContain(
      '/nowhere/a.yaml cannot be read',
    );
  });
});

describe('the kinds of credentials', () => {
  const kinds = [
    ['basicAuth', BASIC],
    ['kubernetesNativeAuth', 'kubernetesNativeAuth: { enabled: true, expiry: 3600 }'],
    ['openIdAuth', `openIdAuth: { ${OPEN_ID} }`],
    ['openIdDeviceAuth', `openIdDeviceAuth: { ${OPEN_ID} }`],
    ['openIdPasswordAuth', `openIdPasswordAuth: { ${OPEN_ID}, username: us, password: hidden }`],
    ['openIdClientCredentialsAuth', `openIdClientCredentialsAuth: { ${OPEN_ID}, clientSecret: hidden }`],
    ['openIdKubernetesAuth', `openIdKubernetesAuth: { ${OPEN_ID} }`],
    ['execAuth', EXEC],
  ] as const;
  const interactive = ['openIdAuth', 'openIdDeviceAuth'];
  const IN_CLUSTER = {
    KUBERNETES_SERVICE_HOST: '127.0.0.1',
    KUBERNETES_SERVICE_PORT: '1',
    SERVICE_ACCOUNT: 'a',
    POD_NAMESPACE: 'n',
  };

  it.each(kinds.map(([kind], index) => [kind, index] as const))(
    '%s goes before those after it in armadactl',
    (kind, index) => {
      const text = main(
        URL_LINE,
        ...kinds
          .slice(index)
          .map(([, line]) => line)
          .reverse(),
      );
      if (interactive.includes(kind)) {
        expect(problemsOf(() => fromFile(text, IN_CLUSTER))).toContain(
          `contexts.main.${kind} (${FILE}) needs an interactive login, which a service cannot do; use openIdClientCredentialsAuth`,
        );
      } else {
        const { summary, identity } = fromFile(text, IN_CLUSTER);
        expect(summary.armadaAuth).toBe(kind);
        identity.close();
      }
    },
  );

  it('do not count without the key that enables them in armadactl', () => {
    const { summary } = fromFile(
      main(
        URL_LINE,
        'basicAuth: { password: hidden }',
        'kubernetesNativeAuth: { enabled: false }',
        'openIdAuth:',
        EXEC,
      ),
    );
    expect(summary.armadaAuth).toBe('execAuth');
  });

  it('may be left out: calls carry no credential then', async () => {
    const { summary, identity } = fromFile(main(URL_LINE));
    expect(summary.armadaAuth).toBe('none');
    expect(await identity.authorization()).toBeUndefined();
  });

  it.each([
    [
      'basicAuth: { username: "u:s", password: hidden }',
      'contexts.main.basicAuth.username (FILE) must hold no colon',
    ],
    [
      'kubernetesNativeAuth: { enabled: true, expiry: 10 }',
      'contexts.main.kubernetesNativeAuth.expiry (FILE) must be at least 600',
    ],
    [
      'kubernetesNativeAuth: { enabled: true }',
      'contexts.main.kubernetesNativeAuth (FILE) needs SERVICE_ACCOUNT in the environment',
    ],
    [
      'kubernetesNativeAuth: { enabled: true }',
      'contexts.main.kubernetesNativeAuth (FILE) works only inside a Kubernetes cluster',
    ],
    [
      `openIdPasswordAuth: { ${OPEN_ID}, username: us }`,
      'contexts.main.openIdPasswordAuth.password (FILE) is missing',
    ],
    [
      `openIdClientCredentialsAuth: { ${OPEN_ID} }`,
      'contexts.main.openIdClientCredentialsAuth.clientSecret (FILE) is missing',
    ],
    [
      'openIdKubernetesAuth: { providerUrl: provider }',
      'contexts.main.openIdKubernetesAuth.clientId (FILE) is missing',
    ],
    [
      'openIdKubernetesAuth: { providerUrl: provider }',
      'contexts.main.openIdKubernetesAuth.providerUrl (FILE) must be a URL',
    ],
    [
      'openIdKubernetesAuth: { providerUrl: "https://u:hidden@h", clientId: c }',
      'openIdKubernetesAuth.providerUrl (FILE) must hold no login',
    ],
  ])('are refused if incomplete: %s', (line, problem) => {
    expect(problemsOf(() => fromFile(main(URL_LINE, line)))).toContain(problem.replace('FILE', FILE));
  });

  it('give warnings for what may be a mistake', () => {
    expect(fromFile(main(URL_LINE, 'execAuth: { cmd: x, interactive: true }')).warnings).toEqual([
      `contexts.main.execAuth.interactive (${FILE}) is true, but a service runs the command without input`,
    ]);
    expect(
      fromFile(main(URL_LINE, 'openIdKubernetesAuth: { providerUrl: "http://p", clientId: c }')).warnings,
    ).toEqual([
      expect.stringContaining(`contexts.main.openIdKubernetesAuth.providerUrl (${FILE}) uses http`),
    ]);
  });
});

describe('our own settings', () => {
  it('set our identity with the same keys', async () => {
    const { transport, identity, summary } = fromOurs(`armadaUrl: a:1\narmadaAuth:\n  ${BASIC}\n`);
    expect(transport.address).toBe('a:1');
    expect(summary.armadaAuth).toBe('basicAuth');
    expect(await identity.authorization()).toBe(`basic ${Buffer.from('us:0123').toString('base64')}`);
  });

  it('run a command', async () => {
    const { identity } = fromOurs(
      'armadaAuth:\n  execAuth: { cmd: /bin/sh, args: [-c, "echo $TOKEN"], env: [{ name: TOKEN, value: got }] }\n',
    );
    expect(await identity.authorization()).toBe('Bearer got');
  });

  it.each([
    ['armadaAuth:\n  armadaUrl: a:1\n', `armadaAuth.armadaUrl (${OURS}) is not a valid key`],
    [
      'armadaAuth:\n  basciAuth: hidden\n',
      `armadaAuth.basciAuth (${OURS}) is not a valid key; valid keys: basicAuth,`,
    ],
    ['armadaAuth: hidden\n', `armadaAuth. (${OURS}) must be a map`],
  ])('are refused: %j', (text, problem) => {
    expect(problemsOf(() => fromOurs(text))).toContain(problem);
  });

  it('are refused beside an armadactl file', () => {
    writeFileSync(FILE, main(URL_LINE));
    expect(problemsOf(() => fromOurs(`armadaAuth:\n  ${BASIC}\n`, { ARMADACTL_CONFIG: FILE }))).toContain(
      `armadaAuth (${OURS}) and ARMADACTL_CONFIG (${FILE}) both set our identity for Armada; remove one of them`,
    );
  });
});

describe('TLS to Armada', () => {
  let files: Env;
  beforeAll(async () => {
    const { certFile, keyFile } = await authority.sign(['us']);
    files = {
      ARMADA_TLS_CA_FILE: authority.certFile,
      ARMADA_TLS_CERT_FILE: certFile,
      ARMADA_TLS_KEY_FILE: keyFile,
      ARMADA_TLS_SERVER_NAME: 'armada.internal',
    };
  });

  it.each([
    ['localhost:50051', false],
    ['127.0.0.1:50051', false],
    ['127.9.9.9:1', false],
    ['[::1]:1', false],
    ['armada:50051', true],
    ['10.0.0.1:50051', true],
    ['localhost.example.com:443', true],
    ['127.example.com:443', true],
  ])('is used for %s in our own settings: %s', (address, tls) => {
    const { summary, transport } = accessOf({ ARMADA_URL: address });
    expect(summary.armadaTls).toBe(tls);
    expect(transport.channelCredentials._isSecure()).toBe(tls);
    expect(accessOf({ ARMADA_URL: address, ARMADA_FORCE_NO_TLS: 'true' }).summary.armadaTls).toBe(false);
  });

  it.each([
    ['localhost:50051', '', false],
    ['my-localhost.example.com:1', '', false],
    ['127.0.0.1:50051', '', true],
    ['armada:50051', 'forceNoTls: true', false],
    ['armada:50051', 'forceNoTls: false', true],
  ])('is used for %s by armadactl’s rule, %s: %s', (address, line, tls) => {
    expect(fromFile(main(`armadaUrl: ${address}`, line)).summary.armadaTls).toBe(tls);
  });

  it('gives a warning where it is not used and there is a credential', () => {
    const { warnings } = fromFile(main(URL_LINE, 'forceNoTls: true', BASIC));
    expect(warnings).toEqual([
      `the credential of contexts.main.basicAuth (${FILE}) is sent to Armada without TLS: anyone on the network path can read it`,
    ]);
    expect(fromFile(main(URL_LINE, 'forceNoTls: true')).warnings).toEqual([]);
  });

  it('is turned on by our file and server name settings, also for localhost', () => {
    const { summary, transport } = accessOf(files);
    expect(summary.armadaTls).toBe(true);
    expect(transport.channelOptions).toEqual({ 'grpc.ssl_target_name_override': 'armada.internal' });
  });

  it('is refused with its files if it is switched off', () => {
    expect(problemsOf(() => accessOf({ ...files, ARMADA_FORCE_NO_TLS: 'true' }))).toContain(
      'ARMADA_TLS_CA_FILE, ARMADA_TLS_CERT_FILE, ARMADA_TLS_KEY_FILE, ARMADA_TLS_SERVER_NAME is set, but TLS to Armada is switched off',
    );
  });

  it('refuses files that are missing, invalid or do not match', async () => {
    const problems = (env: Env): string => problemsOf(() => accessOf({ ...files, ...env }));
    expect(problems({ ARMADA_TLS_CA_FILE: '/nowhere/ca' })).toContain(
      'ARMADA_TLS_CA_FILE is "/nowhere/ca", which cannot be read',
    );
    writeFileSync(FILE, 'hidden');
    expect(problems({ ARMADA_TLS_CA_FILE: FILE })).toContain('which holds no certificate (PEM)');
    expect(problems({ ARMADA_TLS_KEY_FILE: '' })).toContain('must be set together; set both or neither');
    const other = await authority.sign(['another']);
    expect(problems({ ARMADA_TLS_KEY_FILE: other.keyFile })).toContain('cannot be used together');
  });
});
