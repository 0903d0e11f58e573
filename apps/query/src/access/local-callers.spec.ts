import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createArmadaClient, type ArmadaClient } from '@ajs/armada-client';
import { fixedIdentity, withoutTls } from '@ajs/armada-credentials';
import { createAuthorizer, type Authorizer, type Credential } from '@ajs/auth';
import { loadSettings } from '@ajs/config';
import { createRedisClient, type RedisClient } from '@ajs/job-store';
import { FakeArmada, ManualClock } from '@ajs/testing';
import { outcomeOf } from './testing/delegated-harness.js';

const OURS = 'Bearer token-of-ours';
const GET_QUEUE = '/api.QueueService/GetQueue';
const basic = (text: string): string => `Basic ${Buffer.from(text).toString('base64')}`;
/** `s3cret`, hashed as docs/callers.md shows. */
const HASH = '$scrypt$ln=10,r=8,p=1$c2FsdHNhbHRzYWx0c2FsdA$u5bCAiLkt2UD0ZRMpz2c6GLAonZ6UN5wl2BtbI0Csxw';
const ALICE = basic('alice:s3cret');
const BOB = basic('bob:his-password');
const USERS = `
  basicAuth:
    users:
      alice: { passwordHash: "${HASH}", groups: [team-a] }
      bob: { passwordEnv: PASSWORD_OF_BOB }
`;

const folder = mkdtempSync(join(tmpdir(), 'local-callers-'));
let armada: FakeArmada;
let client: ArmadaClient;
let redis: RedisClient;
let clock: ManualClock;

beforeAll(() => {
  // Local verdicts need no Redis.
  redis = createRedisClient({ kind: 'single', url: 'redis://127.0.0.1:1' }, 'reader', () => undefined);
  redis.disconnect();
});
afterAll(() => rmSync(folder, { recursive: true }));
beforeEach(async () => {
  clock = new ManualClock();
  armada = new FakeArmada();
  armada.security.rules = { bearerTokens: { 'token-of-ours': { name: 'ours' } } };
  armada.state.queues.letWatch('hers', { users: ['alice'] });
  armada.state.queues.letWatch('teams', { groups: ['team-a'] });
  armada.state.queues.add('closed');
  client = createArmadaClient({
    transport: withoutTls(await armada.listen('127.0.0.1:0')),
    identity: fixedIdentity(OURS),
    maxMessageBytes: 65_536,
    callsPerSecond: 100,
  });
});
afterEach(() => {
  client.close();
  armada.stop();
});

/** The authorizer of a file with this section `auth`. */
function configured(section: string, warn: (text: string) => void = () => undefined): Authorizer {
  const file = join(folder, 'settings.yaml');
  writeFileSync(file, section === '' ? 'logLevel: info' : `auth:${section}`);
  return createAuthorizer(
    {
      settings: loadSettings({ argv: ['--config', file], env: { AUTH_MODE: 'local' } }),
      env: { PASSWORD_OF_BOB: 'his-password' },
      armada: {
        authenticates: () => Promise.reject(new Error('no credential of a caller is sent to Armada')),
        mayWatch: () => Promise.reject(new Error('no credential of a caller is sent to Armada')),
      },
      grants: client.queueGrants,
      redis,
      redisFailed: () => undefined,
      warn,
    },
    clock,
  );
}

function verdictOf(
  authorizer: Authorizer,
  who: string | Partial<Credential> | undefined,
  queue: string,
): Promise<string> {
  const shown = typeof who === 'string' ? { authorization: who } : who;
  return outcomeOf(authorizer.mayWatch({ authorization: undefined, ...shown }, queue, 'caller'));
}

describe('a caller with a password', () => {
  it('may watch the queues whose permissions in Armada name it or its group', async () => {
    const authorizer = configured(USERS);
    expect(await verdictOf(authorizer, ALICE, 'hers')).toBe('yes');
    expect(await verdictOf(authorizer, ALICE, 'teams')).toBe('yes');
    expect(await verdictOf(authorizer, ALICE, 'closed')).toBe('no');
    expect(await verdictOf(authorizer, BOB, 'hers')).toBe('no');
    expect(await verdictOf(authorizer, BOB, 'nope')).toBe('no-queue');
    expect(armada.calls.all()).toEqual({ [GET_QUEUE]: 4 });
    expect(armada.calls.countsOf(OURS)).toEqual({ [GET_QUEUE]: 4 });
  });

  it('is rejected with another password, and Armada is not asked', async () => {
    const authorizer = configured(USERS);
    const refused = 'unauthenticated: invalid username or password (authorization: Basic)';
    for (const who of [basic('alice:his-password'), basic('eve:s3cret'), basic('bob:')]) {
      expect(await verdictOf(authorizer, who, 'hers')).toBe(refused);
    }
    expect(armada.calls.all()).toEqual({});
  });

  it('may watch what the rules allow, also where the queue does not exist in Armada', async () => {
    const authorizer = configured(`${USERS}
  queueRules:
    - { queue: closed, users: [bob] }
    - { queue: only-here, groups: [team-a] }
    - { queue: teams, groups: [everyone] }
`);
    expect(await verdictOf(authorizer, BOB, 'closed')).toBe('yes');
    expect(await verdictOf(authorizer, ALICE, 'closed')).toBe('no');
    expect(await verdictOf(authorizer, ALICE, 'only-here')).toBe('yes');
    expect(await verdictOf(authorizer, BOB, 'only-here')).toBe('no-queue');
    expect(await verdictOf(authorizer, BOB, 'teams')).toBe('yes');
    expect(await verdictOf(authorizer, ALICE, 'hers')).toBe('yes');
  });

  it('may watch only what the rules allow where queuePermissionsFromArmada is false', async () => {
    const authorizer = configured(`${USERS}
  queuePermissionsFromArmada: false
  queueRules: [{ queue: closed, users: [alice] }]
`);
    expect(await verdictOf(authorizer, ALICE, 'closed')).toBe('yes');
    expect(await verdictOf(authorizer, ALICE, 'hers')).toBe('no');
    expect(await verdictOf(authorizer, ALICE, 'nope')).toBe('no');
    expect(armada.calls.all()).toEqual({});
  });

  it('may watch every queue with a group that holds watch_all_events, and none with another permission', async () => {
    const authorizer = configured(`${USERS}
  permissionGroupMapping: { watch_all_events: [admins, team-a], submit_any_jobs: [everyone] }
`);
    expect(await verdictOf(authorizer, ALICE, 'closed')).toBe('yes');
    expect(await verdictOf(authorizer, BOB, 'closed')).toBe('no');
    expect(armada.calls.countsOf(OURS)).toEqual({ [GET_QUEUE]: 1 });
  });
});

describe('a caller without credentials', () => {
  it('is rejected by default', async () => {
    expect(await verdictOf(configured(USERS), undefined, 'hers')).toBe(
      'unauthenticated: missing credentials (authorization): this service requires them',
    );
  });

  it('is the principal anonymous, with the rules for everyone, where anonymousAuth is on', async () => {
    armada.state.queues.letWatch('open', { groups: ['everyone'] });
    const authorizer = configured(`${USERS}
  anonymousAuth: true
  queueRules: [{ queue: old-dags, groups: [everyone] }, { queue: older-dags, users: [anonymous] }]
`);
    for (const queue of ['old-dags', 'older-dags', 'open']) {
      expect(await verdictOf(authorizer, undefined, queue)).toBe('yes');
    }
    expect(await verdictOf(authorizer, undefined, 'hers')).toBe('no');
    expect(await verdictOf(authorizer, ALICE, 'older-dags')).toBe('no-queue');
  });

  it('is the user that its certificate names where clientCertificateAuth is on', async () => {
    const certified = { certificateName: 'alice' };
    expect(await verdictOf(configured('\n  clientCertificateAuth: true'), certified, 'hers')).toBe('yes');
    expect(await verdictOf(configured('\n  clientCertificateAuth: true'), undefined, 'hers')).toMatch(
      /^unauthenticated/,
    );
    expect(await verdictOf(configured(USERS), certified, 'hers')).toMatch(/^unauthenticated/);
  });

  it('is not identified by its certificate where it sends credentials', async () => {
    const authorizer = configured(`${USERS}  clientCertificateAuth: true`);
    expect(await verdictOf(authorizer, { authorization: BOB, certificateName: 'alice' }, 'hers')).toBe('no');
    expect(
      await verdictOf(authorizer, { authorization: basic('bob:x'), certificateName: 'alice' }, 'hers'),
    ).toMatch(/^unauthenticated/);
  });
});

describe('credentials of a kind that is not configured', () => {
  it.each(['Bearer abc', 'KubernetesAuth abc', ALICE])('are rejected: %s', async (authorization) => {
    const authorizer = configured('\n  clientCertificateAuth: true');
    expect(await verdictOf(authorizer, { authorization, certificateName: 'alice' }, 'hers')).toBe(
      'unauthenticated: this service does not support credentials of this kind (authorization)',
    );
  });

  it('count as none where anonymousAuth is on, as in Armada', async () => {
    const authorizer = configured(`${USERS}  anonymousAuth: true`);
    await authorizer.authenticate({ authorization: 'Bearer abc' }, 'caller');
    expect(await verdictOf(authorizer, 'Bearer abc', 'hers')).toBe('no');
    expect(await verdictOf(authorizer, basic('eve:x'), 'hers')).toMatch(/^unauthenticated/);
  });
});

describe("the permissions of Armada's queues", () => {
  it('are read again after 10 s', async () => {
    const authorizer = configured(USERS);
    expect(await verdictOf(authorizer, ALICE, 'hers')).toBe('yes');
    armada.state.queues.letWatch('hers', { users: ['bob'] });
    clock.advance(9_999);
    expect(await verdictOf(authorizer, ALICE, 'hers')).toBe('yes');
    expect(await verdictOf(authorizer, BOB, 'hers')).toBe('no');
    clock.advance(1);
    expect(await verdictOf(authorizer, ALICE, 'hers')).toBe('no');
    expect(await verdictOf(authorizer, BOB, 'hers')).toBe('yes');
    expect(armada.calls.count(GET_QUEUE)).toBe(2);
  });

  it('of a queue that did not exist are read again after 2 s', async () => {
    const authorizer = configured(USERS);
    expect(await verdictOf(authorizer, ALICE, 'new')).toBe('no-queue');
    armada.state.queues.letWatch('new', { users: ['alice'] });
    clock.advance(1_999);
    expect(await verdictOf(authorizer, ALICE, 'new')).toBe('no-queue');
    clock.advance(1);
    expect(await verdictOf(authorizer, ALICE, 'new')).toBe('yes');
  });

  it('are read once, however many wait for them', async () => {
    const authorizer = configured(USERS);
    const answers = await Promise.all(
      [ALICE, BOB, ALICE, BOB].map((who) => verdictOf(authorizer, who, 'hers')),
    );
    expect(answers).toEqual(['yes', 'no', 'yes', 'no']);
    expect(armada.calls.count(GET_QUEUE)).toBe(1);
  });

  it('are reused until they expire while Armada is unavailable; then only the rules give a verdict', async () => {
    const authorizer = configured(`${USERS}
  queueRules: [{ queue: closed, users: [bob] }]
`);
    expect(await verdictOf(authorizer, ALICE, 'hers')).toBe('yes');
    armada.faults.set({ unavailable: true });
    clock.advance(9_999);
    expect(await verdictOf(authorizer, ALICE, 'hers')).toBe('yes');
    clock.advance(1);
    expect(await verdictOf(authorizer, ALICE, 'hers')).toMatch(
      /^unavailable: could not read the queue's permissions from Armada: .*try again$/,
    );
    expect(await verdictOf(authorizer, BOB, 'closed')).toBe('yes');
  });
});

describe('an invalid section auth', () => {
  const problemsOf = (section: string): string => {
    try {
      configured(section);
    } catch (error) {
      expect((error as Error).name).toBe('SettingsError');
      return (error as Error).message;
    }
    throw new Error('it was accepted');
  };

  it('stops the start with the path of every problem, and no value', () => {
    const text = problemsOf(`
  basicAuth:
    users:
      alice: { passwordHash: geheim }
      bob: { password: geheim }
  openIdAuth: { providerUrl: "http://id.example.org" }
  queueRules: [{ users: [alice] }]
  anonymousAuth: perhaps
`);
    for (const path of [
      'auth.basicAuth.users.alice.passwordHash',
      'auth.basicAuth.users.bob',
      'auth.openIdAuth.providerUrl',
      'auth.openIdAuth.audience',
      'auth.queueRules.0.queue',
      'auth.anonymousAuth',
    ]) {
      expect(text).toContain(path);
    }
    expect(text).not.toContain('geheim');
  });

  it('stops the start where a password cannot be read', () => {
    expect(problemsOf('\n  basicAuth: { users: { eve: { passwordEnv: NOT_SET } } }')).toContain('NOT_SET');
  });

  it('stops the start where it is missing', () => {
    expect(problemsOf('')).toContain('the file has no section auth');
  });
});

it.each([
  ['true', [expect.stringMatching(/^auth\.anonymousAuth is true: .* control characters/)]],
  ['false', []],
])('the log warns of credentials that HTTP/2 drops where anonymousAuth is %s', (anonymousAuth, expected) => {
  const warnings: string[] = [];
  configured(`${USERS}  anonymousAuth: ${anonymousAuth}`, (text) => warnings.push(text));
  expect(warnings).toEqual(expected);
});

it('every caller may watch every queue with AUTH_MODE=anonymous, and the log warns', async () => {
  const warnings: string[] = [];
  const authorizer = createAuthorizer({
    settings: loadSettings({ argv: [], env: { AUTH_MODE: 'anonymous' } }),
    env: {},
    armada: {
      authenticates: () => Promise.resolve('bad-credentials'),
      mayWatch: () => Promise.resolve('no'),
    },
    grants: client.queueGrants,
    redis,
    redisFailed: () => undefined,
    warn: (text) => warnings.push(text),
  });
  expect(await verdictOf(authorizer, undefined, 'closed')).toBe('yes');
  expect(warnings).toEqual([
    'AUTH_MODE is anonymous: anyone who can reach this process can read the state of every job',
  ]);
  expect(armada.calls.all()).toEqual({});
});
