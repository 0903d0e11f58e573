import { writeFileSync } from 'node:fs';
import { connect } from 'node:http2';
import { request } from 'node:https';
import { text } from 'node:stream/consumers';
import { JobsService } from '@ajs/contracts/api/job';
import { JobState, QueueServiceService } from '@ajs/contracts/api/submit';
import { JobServiceService } from '@ajs/contracts/jobservice/jobservice';
import {
  CertificateAuthority,
  RedisServer,
  TemporaryFolder,
  jobEvents,
  armadaJob,
  unary,
  type Certified,
} from '@ajs/testing';
import { Client, credentials } from '@grpc/grpc-js';
import { adminOf } from './admin-of.js';
import { AppProcess } from './app-process.js';
import { patiently } from './patiently.js';
import { Stack } from './stack.js';

/** Must not be readable anywhere. */
const SECRETS = {
  ours: 'planted-armada-password',
  exec: 'planted-exec-token',
  execComplaint: 'planted-in-standard-error',
  redis: 'planted-redis-password',
  cache: 'planted-cache-secret-of-32-characters',
  alice: 'planted-password-of-alice',
  stranger: 'planted-password-of-a-stranger',
  bearer: 'planted.bearer.token',
  noColon: 'planted-basic-without-colon',
  otherScheme: 'planted-digest',
  notAscii: 'planted-beside-umlaut',
  setting: 'planted-in-a-bad-setting',
} as const;

const basic = (name: string, password: string): string =>
  `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`;

const CREDENTIALS = [
  undefined,
  basic('alice', SECRETS.alice),
  basic('stranger', SECRETS.stranger),
  `Bearer ${SECRETS.bearer}`,
  `Basic ${Buffer.from(SECRETS.noColon).toString('base64')}`,
  `Digest ${SECRETS.otherScheme}`,
  `Basic \u00e4${SECRETS.notAscii}`,
];

const KEY = { queue: 'q', jobSetId: 's' };
const JOB_ID = '01m85vnck01jqpr3vd00000001';

let folder: TemporaryFolder;
let authority: CertificateAuthority;
let served: Certified;
/** Every text that can be read, and where. */
let seen: { readonly where: string; readonly text: string }[];

beforeAll(async () => {
  folder = new TemporaryFolder('secrets');
  authority = await CertificateAuthority.create();
  served = await authority.sign(['query', '127.0.0.1']);
});

beforeEach(() => (seen = []));

afterAll(() => {
  folder.remove();
  authority.remove();
});

function file(name: string, content: string): string {
  const path = folder.file(name);
  writeFileSync(path, content);
  return path;
}

const see = (where: string, what: unknown): number =>
  seen.push({ where, text: typeof what === 'string' ? what : JSON.stringify(what) });

function seeProcess(where: string, app: AppProcess): void {
  see(where, app.output);
  for (const line of app.logs) see(where, line);
}

/** A secret in clear and in the encodings it is sent in. */
function forms(secret: string): string[] {
  const asBasic = ['us', 'alice', 'stranger'].map((name) => basic(name, secret).slice('Basic '.length));
  const encoded = [...asBasic, Buffer.from(secret).toString('base64')].map((each) => each.replace(/=+$/, ''));
  return [secret, ...encoded, Buffer.from(secret).toString('hex')];
}

function expectNoSecret(): void {
  const keyLine = served.key.split('\n')[2] ?? '';
  expect(keyLine.length).toBeGreaterThan(20);
  const planted = [...Object.values(SECRETS).flatMap(forms), keyLine];
  const found = seen.filter((each) => planted.some((secret) => each.text.includes(secret)));
  expect(found).toEqual([]);
}

it('no secret of a running service is in a log, answer, metric, health report or Redis key', async () => {
  const redis = await RedisServer.start(['--requirepass', SECRETS.redis]);
  const withPassword = { url: `redis://:${SECRETS.redis}@127.0.0.1:${redis.port}`, stop: () => redis.stop() };
  const stack = await Stack.start(
    {
      LOG_LEVEL: 'trace',
      // grpc-js logs all it can, headers included.
      GRPC_TRACE: 'all',
      GRPC_VERBOSITY: 'DEBUG',
      AUTH_MODE: 'delegated',
      AUTH_CACHE_SECRET: SECRETS.cache,
      AUTH_REFUSAL_TTL: '100ms',
      REDIS_RETRY_TIMEOUT: '100ms',
      FIRST_POLL_WAIT: '500ms',
      PASS_THROUGH: 'on',
      QUERY_TLS_CERT_FILE: served.certFile,
      QUERY_TLS_KEY_FILE: served.keyFile,
    },
    withPassword,
  );
  stack.armada.security.rules = {
    basicUsers: {
      us: { password: SECRETS.ours, groups: ['services'] },
      alice: { password: SECRETS.alice },
    },
    bearerTokens: { [SECRETS.exec]: { name: 'exec', groups: ['services'] } },
    watchAllGroups: ['services'],
  };
  const job = armadaJob({ jobId: JOB_ID, ...KEY });
  stack.armada.state.move(
    job,
    JobState.QUEUED,
    jobEvents.submitted(job, { namespace: 'ns', annotations: {} }),
  );
  stack.armada.state.queues.letWatch('q', { users: ['alice'] });

  const exec = `execAuth: { cmd: /bin/sh, args: ['-c', 'echo ${SECRETS.execComplaint} >&2; echo ${SECRETS.exec}'] }`;
  const ours = `basicAuth: { username: us, password: ${SECRETS.ours} }`;
  const ingester = await stack.ingester({
    ARMADACTL_CONFIG: file('exec.yaml', `forceNoTls: true\n${exec}\n`),
  });
  const query = await stack.query({ ARMADACTL_CONFIG: file('basic.yaml', `forceNoTls: true\n${ours}\n`) });

  const client = new Client(query.grpc, credentials.createSsl(Buffer.from(authority.cert)));
  const https = query.http.replace('http:', 'https:');
  await patiently('alice is answered', async () => {
    const options = { authorization: CREDENTIALS[1] };
    const { answer } = await unary(
      client,
      JobServiceService.getJobStatus,
      { ...KEY, jobId: JOB_ID },
      options,
    );
    return answer.error === '';
  });
  const callAll = async (when: string): Promise<void> => {
    for (const authorization of CREDENTIALS) {
      await callEverything(when, client, https, query.grpc, authorization);
    }
    for (const path of ['/metrics', '/readyz', '/healthz', '/openapi.json'])
      see(when + path, await get(https + path));
  };
  await callAll('all healthy');
  const peek = adminOf(withPassword.url);
  for (const key of await peek.keys('*')) {
    // It may have expired meanwhile.
    const value = (await peek.dumpBuffer(key)) as Buffer | null;
    see('Redis', `${key} ${value?.toString('latin1') ?? ''}`);
  }
  peek.disconnect();
  stack.armada.faults.set({ unavailable: true });
  await callAll('Armada unavailable');
  stack.armada.faults.set({});
  await redis.kill();
  await callAll('Redis unavailable');

  client.close();
  await stack.stop();
  seeProcess('the ingester', ingester);
  seeProcess('the query', query.app);
  // The traces were among the searched texts.
  expect(query.app.logs.some(({ msg }) => msg.includes('Received server headers'))).toBe(true);
  expectNoSecret();
}, 180_000);

it('no error message about an invalid setting shows a secret in it', async () => {
  const secret = SECRETS.setting;
  const redis = await RedisServer.start(['--requirepass', SECRETS.redis]);
  const armadactl = (content: string) => ({
    ARMADACTL_CONFIG: file(`${seen.length}-${content.length}.yaml`, content),
  });
  const config = (content: string) => ({ CONFIG_FILE: file(`config-${content.length}.yaml`, content) });
  const starts: Record<string, Record<string, string>> = {
    'an address of Redis': { REDIS_URL: `redis://user:${secret}@no host:6379` },
    'an address of Redis without a host': { REDIS_URL: `redis://user:${secret}` },
    'addresses of a cluster': { REDIS_URL: `redis-cluster://user:${secret}@a,b` },
    'a password that Redis does not take': { REDIS_URL: `redis://user:${secret}@127.0.0.1:${redis.port}` },
    'a Redis that is not there': { REDIS_URL: `redis://user:${secret}@127.0.0.1:1` },
    'a secret that is too short': { AUTH_CACHE_SECRET: secret },
    'a file that is no YAML': config(`armadaAuth:\n  basicAuth: { password: "${secret}\n`),
    'a tag that nobody knows': config(`authCacheSecret: !vault ${secret}\n`),
    'a key that holds its value': config(`{ authCacheSecret:${secret} }\n`),
    'a setting that there is not': config(`armadaPassword: ${secret}\n`),
    'a key that there is not': config(`armadaAuth:\n  basicAuth: { username: a, passwort: ${secret} }\n`),
    'a user without a hash': config(
      `authMode: local\nauth:\n  basicAuth: { users: { a: { passwordHash: ${secret} } } }\n`,
    ),
    'an address of Armada with a login': armadactl(`armadaUrl: "user:${secret}@armada:443"\n`),
    'a kind for people': armadactl(`openIdAuth: { clientId: ${secret}, scopes: [${secret}] }\n`),
    'a provider that is no address': armadactl(
      `openIdClientCredentialsAuth: { providerUrl: '${secret}', clientId: a, clientSecret: ${secret} }\n`,
    ),
    'a command that fails': armadactl(
      `execAuth: { cmd: /bin/sh, args: ['-c', 'echo ${secret} | tee /dev/stderr; exit 3'] }\n`,
    ),
    'a key that is not that of the certificate': {
      QUERY_TLS_CERT_FILE: authority.certFile,
      QUERY_TLS_KEY_FILE: served.keyFile,
    },
    'a key for a certificate': { QUERY_TLS_CERT_FILE: served.keyFile, QUERY_TLS_KEY_FILE: served.certFile },
  };
  const stack = await Stack.start(
    { LOG_LEVEL: 'trace', REDIS_URL: `redis://:${SECRETS.redis}@127.0.0.1:${redis.port}` },
    redis,
  );
  const all = Object.entries(starts);
  // A few at a time, since each is a process.
  while (all.length > 0) {
    await Promise.all(
      all.splice(0, 4).map(async ([what, env]) => {
        const app = new AppProcess('dist/apps/query/main.js', stack.envOf(env));
        await patiently(
          `it reports ${what}`,
          () => app.exit ?? app.logs.find(({ level }) => level === 'warn' || level === 'error'),
        );
        if (app.exit === undefined) await app.kill();
        expect([what, app.output + JSON.stringify(app.logs)]).toEqual([what, expect.stringMatching(/\w/)]);
        seeProcess(what, app);
      }),
    );
  }
  const help = new AppProcess('dist/apps/query/main.js', stack.envOf(), ['--help']);
  expect(await help.ended()).toBe(0);
  seeProcess('--help', help);
  await stack.stop();
  expectNoSecret();
}, 180_000);

/** Calls every API and records what comes back. */
async function callEverything(
  when: string,
  client: Client,
  https: string,
  grpc: string,
  authorization: string | undefined,
): Promise<void> {
  // grpc-js would not send it.
  if (authorization?.includes('\u00e4') !== true) {
    const options = { authorization, deadline: Date.now() + 3_000 };
    const calls = [
      () => unary(client, JobServiceService.getJobStatus, { ...KEY, jobId: JOB_ID }, options),
      () =>
        unary(client, JobServiceService.getJobStatus, { queue: 'other', jobSetId: 's', jobId: 'j' }, options),
      () => unary(client, JobsService.getJobStatus, { jobIds: [JOB_ID] }, options),
      () => unary(client, QueueServiceService.getQueue, { name: 'q' }, options),
    ];
    for (const call of calls) {
      await call().then(
        ({ answer, trailers }) => see(when, { answer, trailers: trailers.toJSON() }),
        (error: unknown) => see(when, `${(error as Error).message} ${JSON.stringify(error)}`),
      );
    }
  }
  see(when, await rawCall(grpc, authorization));
  see(when, await get(`${https}/v1/job/status`, authorization, JSON.stringify({ jobIds: [JOB_ID] })));
}

/** A call with any bytes as its `authorization`; resolves to the headers and trailers of the answer. */
function rawCall(grpc: string, authorization = ''): Promise<string> {
  return new Promise((resolve, reject) => {
    const session = connect(`https://${grpc}`, { ca: authority.cert });
    session.on('error', reject);
    const stream = session.request({
      ':method': 'POST',
      ':path': JobServiceService.getJobStatus.path,
      'content-type': 'application/grpc',
      te: 'trailers',
      authorization,
    });
    let received = '';
    for (const event of ['response', 'trailers'])
      stream.on(event, (headers) => (received += JSON.stringify(headers)));
    stream.on('close', () => {
      session.destroy();
      resolve(received);
    });
    stream.on('error', reject).resume();
    stream.end(Buffer.alloc(5));
  });
}

function get(url: string, authorization?: string, body?: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const call = request(url, {
      method: body === undefined ? 'GET' : 'POST',
      ca: authority.cert,
      agent: false,
      headers: authorization === undefined ? {} : { authorization },
    });
    call.on('error', reject);
    call.on('response', (response) => {
      text(response).then((content) => resolve(JSON.stringify(response.rawHeaders) + content), reject);
    });
    call.end(body);
  });
}
