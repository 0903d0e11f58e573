import { writeFileSync } from 'node:fs';
import { AccessFiles, BASIC, URL_LINE, main, problemsOf, type Env } from './testing/access-files.js';

const access = await AccessFiles.create();
afterAll(() => access.remove());
const { accessOf, fromArmadactl, fromOurs, armadactl: FILE, ours: OURS } = access;

const EXEC = 'execAuth: { cmd: /bin/echo, args: [token] }';
const OPEN_ID = 'providerUrl: https://provider.example.com, clientId: service';

describe('an armadactl file', () => {
  it('gives the address and the identity of its current context', async () => {
    const { transport, identity, summary, warnings } = fromArmadactl(main(URL_LINE, BASIC));
    expect(transport.address).toBe('armada.example.com:443');
    expect(await identity.authorization()).toBe(`basic ${Buffer.from('us:0123').toString('base64')}`);
    expect(summary).toEqual({ armada: 'armada.example.com:443', armadaTls: true, armadaAuth: 'basicAuth' });
    expect(warnings).toEqual([]);
  });

  it('may have its keys and the name of its context in any case', async () => {
    const { transport, identity, summary } = fromArmadactl(
      'CURRENTCONTEXT: MAIN\nContexts:\n  main:\n    ARMADAURL: a:1\n    forcenotls: TRUE\n    BasicAuth: { UserName: us, PASSWORD: p }\n',
    );
    expect(summary.armadaTls).toBe(false);
    expect(transport.address).toBe('a:1');
    expect(await identity.authorization()).toBe(`basic ${Buffer.from('us:p').toString('base64')}`);
  });

  it('may have the deprecated form, with a warning, and then defaults to localhost:50051', () => {
    const { transport, summary, warnings } = fromArmadactl('basicAuth: { username: us, password: p }\n');
    expect(transport.address).toBe('localhost:50051');
    expect(summary).toMatchObject({ armadaTls: false, armadaAuth: 'basicAuth' });
    expect(warnings[0]).toContain(`${FILE} has no currentContext`);
    expect(fromArmadactl('armadaUrl: a:1\n').transport.address).toBe('a:1');
    const unused = 'armadaUrl: a:1\ncontexts: { main: { armadaUrl: b:1 } }\n';
    expect(fromArmadactl(unused).transport.address).toBe('a:1');
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
    expect(fromArmadactl(text, env).transport.address).toBe(address);
  });

  it('is refused with the name of the variable that has a wrong address', () => {
    expect(problemsOf(() => fromArmadactl(main(URL_LINE), { ARMADAURL: 'https://a:1' }))).toContain(
      'ARMADAURL (environment) is "https://a:1", but must be host:port',
    );
  });

  it('has another context with CURRENTCONTEXT', () => {
    const text = `${main(URL_LINE)}\n  other:\n    armadaUrl: other:1\n`;
    expect(fromArmadactl(text, { CURRENTCONTEXT: 'other' }).transport.address).toBe('other:1');
    expect(problemsOf(() => fromArmadactl(text, { CURRENTCONTEXT: 'third' }))).toContain(
      `CURRENTCONTEXT (environment) is "third", but must be one of the contexts of ${FILE}: main, other`,
    );
  });

  it('may hold anchors and keys for armadactl alone, and gives a warning for unknown keys', () => {
    const { transport, warnings } = fromArmadactl(
      `shared: &shared\n  armadaUrl: a:1\n${main('<<: *shared', 'grpcKeepAliveTime: 30s', 'basciAuth: { username: us }')}`,
    );
    expect(transport.address).toBe('a:1');
    expect(warnings).toEqual([`contexts.main.basciAuth (${FILE}) has no effect here and is ignored`]);
  });

  it('gives a warning for unknown keys of its credentials, without what may be their values', () => {
    const { warnings } = fromArmadactl(
      main(URL_LINE, 'openIdAuth: { localPort: 1 }', 'basicAuth: { username: us, password:hidden }'),
    );
    expect(warnings).toEqual([
      `contexts.main.basicAuth.password:*** (${FILE}) has no effect here and is ignored`,
    ]);
  });

  it.each([
    [main(BASIC), `contexts.main.armadaUrl (${FILE}) is missing: a context has no default`],
    [
      main('armadaUrl: https://a:1'),
      `contexts.main.armadaUrl (${FILE}) is "https://a:1", but must be host:port`,
    ],
    [main('armadaUrl: https://us:hidden@a:1'), `contexts.main.armadaUrl (${FILE}) is "https://***@a:1", but`],
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
    ['currentContext: main\ncontexts: { main: hidden }\n', `contexts.main (${FILE}) must be a map`],
    [main(URL_LINE, 'basicAuth: hidden'), `contexts.main.basicAuth (${FILE}) must be a map`],
    [
      main(URL_LINE, 'basicAuth: { username: [hidden] }'),
      `contexts.main.basicAuth.username (${FILE}) must be a single value`,
    ],
    [main(URL_LINE, 'forceNoTls: hidden'), `contexts.main.forceNoTls (${FILE}) must be true or false`],
    [
      main(URL_LINE, 'execAuth: { cmd: x, env: [{ value: hidden }] }'),
      `contexts.main.execAuth.env (${FILE}) has an entry without a name`,
    ],
    [
      main(URL_LINE, 'kubernetesNativeAuth: { enabled: true, expiry: hidden }'),
      `contexts.main.kubernetesNativeAuth.expiry (${FILE}) must be a whole number of seconds`,
    ],
    [
      main(URL_LINE, 'execAuth: { cmd: x, env: [hidden] }'),
      `contexts.main.execAuth.env (${FILE}) must be a list of maps`,
    ],
    ['password: "hidden\nb: c: d\n', `the file ${FILE} cannot be read: it is not valid YAML at line 3`],
  ])('is refused, with the key and never its value: %j', (text, problem) => {
    expect(problemsOf(() => fromArmadactl(text))).toContain(problem);
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
        expect(problemsOf(() => fromArmadactl(text, IN_CLUSTER))).toContain(
          `contexts.main.${kind} (${FILE}) needs an interactive login, which a service cannot do; use openIdClientCredentialsAuth`,
        );
      } else {
        const { summary, identity } = fromArmadactl(text, IN_CLUSTER);
        expect(summary.armadaAuth).toBe(kind);
        identity.close();
      }
    },
  );

  it('do not count without the key that enables them in armadactl', () => {
    const { summary } = fromArmadactl(
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
    const { summary, identity } = fromArmadactl(main(URL_LINE));
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
    expect(problemsOf(() => fromArmadactl(main(URL_LINE, line)))).toContain(problem.replace('FILE', FILE));
  });

  it('give warnings for what may be a mistake', () => {
    expect(fromArmadactl(main(URL_LINE, 'execAuth: { cmd: x, interactive: true }')).warnings).toEqual([
      `contexts.main.execAuth.interactive (${FILE}) is true, but a service runs the command without input`,
    ]);
    expect(
      fromArmadactl(main(URL_LINE, 'openIdKubernetesAuth: { providerUrl: "http://p", clientId: c }'))
        .warnings,
    ).toEqual([
      expect.stringContaining(`contexts.main.openIdKubernetesAuth.providerUrl (${FILE}) uses http`),
    ]);
  });
});

describe('our own settings', () => {
  it('tell of the proxy on the way', () => {
    process.env['grpc_proxy'] = 'http://us:hidden@proxy.example:3128';
    try {
      const { summary } = accessOf({ ARMADA_URL: 'armada.example:443' });
      expect(summary.armadaProxy).toBe('http://proxy.example:3128, set by grpc_proxy');
      expect(accessOf({ ARMADA_URL: 'localhost:1' }).summary.armadaProxy).toBeUndefined();
    } finally {
      delete process.env['grpc_proxy'];
    }
  });

  it('set our identity with the same keys', async () => {
    const { transport, identity, summary } = fromOurs(`armadaUrl: a:1\narmadaAuth:\n  ${BASIC}\n`);
    expect(transport.address).toBe('a:1');
    expect(summary.armadaAuth).toBe('basicAuth');
    expect(await identity.authorization()).toBe(`basic ${Buffer.from('us:0123').toString('base64')}`);
  });

  it('may have a list as one text, separated by commas', async () => {
    const { identity } = fromOurs('armadaAuth:\n  execAuth: { cmd: printf, args: "%s-%s,a,,b" }\n');
    expect(await identity.authorization()).toBe('Bearer a-b');
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
    [
      'armadaAuth:\n  BasicAuth: { username: us, pasword: hidden }\n',
      `armadaAuth.basicAuth.pasword (${OURS}) is not a valid key; valid keys: username, password`,
    ],
    [
      'armadaAuth:\n  basicAuth: { username: us, password:hidden }\n',
      `armadaAuth.basicAuth.password:*** (${OURS}) is not a valid key`,
    ],
    [
      'armadaAuth: { basicAuth: {}, password=hidden }\n',
      `armadaAuth.password=*** (${OURS}) is not a valid key`,
    ],
    ['armadaAuth: hidden\n', `armadaAuth (${OURS}) must be a map`],
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
