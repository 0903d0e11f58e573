import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadSettings } from '@ajs/config';
import { parseAuthSection, type AuthSection } from './auth-section.js';

const folder = mkdtempSync(join(tmpdir(), 'auth-section-'));
const file = join(folder, 'settings.yaml');
afterAll(() => rmSync(folder, { recursive: true }));

function load(text: string): AuthSection {
  writeFileSync(file, text);
  return parseAuthSection(loadSettings({ argv: ['--config', file], env: {} }).auth);
}

const HASH = `$scrypt$ln=15,r=8,p=1$${'A'.repeat(22)}$${'B'.repeat(43)}`;

describe('the section auth of the file', () => {
  it('defines who callers are and what they may watch', () => {
    const section = load(`
auth:
  basicAuth:
    users:
      alice: { passwordHash: "${HASH}", groups: [team-a] }
      bob: { passwordFile: /run/secrets/bob }
  openIdAuth: { providerUrl: "https://id.example.org", audience: armada, clockSkewSeconds: 60 }
  kubernetesAuth: {}
  anonymousAuth: true
  permissionGroupMapping: { watch_all_events: [admins], submit_any_jobs: [admins] }
  queueRules:
    - { queue: old-dags, groups: [everyone] }
`);
    expect(section).toEqual({
      basicAuth: {
        users: {
          alice: { passwordHash: HASH, groups: ['team-a'] },
          bob: { passwordFile: '/run/secrets/bob', groups: [] },
        },
      },
      openIdAuth: {
        providerUrl: 'https://id.example.org',
        audience: ['armada'],
        groupsClaim: 'groups',
        clockSkewSeconds: 60,
      },
      kubernetesAuth: { audiences: [] },
      anonymousAuth: true,
      clientCertificateAuth: false,
      permissionGroupMapping: { watch_all_events: ['admins'], submit_any_jobs: ['admins'] },
      permissionScopeMapping: {},
      permissionClaimMapping: {},
      queueRules: [{ queue: 'old-dags', users: [], groups: ['everyone'] }],
      queuePermissionsFromArmada: true,
    });
  });

  it.each([
    ['basicAuth: { users: { eve: { groups: [] } } }', 'auth.basicAuth.users.eve', 'exactly one of'],
    ['basicAuth: { users: { eve: { passwordHash: geheim } } }', 'users.eve.passwordHash', '$scrypt$'],
    ['basicAuth: { users: { eve: { password: geheim } } }', 'auth.basicAuth.users.eve', '"password"'],
    [
      'openIdAuth: { audience: a, providerUrl: "http://id.example.org" }',
      'openIdAuth.providerUrl',
      'https://',
    ],
    [
      'openIdAuth: { audience: a, providerUrl: "https://id.example.org/?key=geheim" }',
      'openIdAuth.providerUrl',
      'https://',
    ],
    [
      'openIdAuth: { providerUrl: "https://id.example.org" }',
      'auth.openIdAuth.audience',
      'must be a single value, or a list',
    ],
    ['queueRules: [{ groups: [a] }]', 'auth.queueRules.0.queue', 'is missing'],
    ['anonymousAuth: yes', 'auth.anonymousAuth', 'must be true or false'],
    [
      'basicAuth: { users: { "a:b": { passwordEnv: P } } }',
      'auth.basicAuth.users.a:***',
      'must not hold a colon',
    ],
    ['basicAuth: { users: { eve:geheim } }', 'auth.basicAuth.users.eve:***', 'must not hold a colon'],
    ['basicAuth: { users: { eve: { passwordHash:geheim } } }', 'users.eve (', '"passwordHash:***"'],
    ['kubernetesAuth: { tokenFile: [geheim] }', 'auth.kubernetesAuth.tokenFile', 'must be a single value'],
    ['queueRules: [{ queue: a, users: geheim }]', 'auth.queueRules.0.users', 'must be a list'],
    ['ldap: {}', 'auth (', '"ldap"'],
  ])('is refused, with the path of the key and what is allowed, but no value: %s', (text, path, allowed) => {
    let message = '';
    try {
      load(`auth: { anonymousAuth: true, ${text} }`.replace('anonymousAuth: true, anon', 'anon'));
    } catch (error) {
      message = (error as Error).message;
    }
    expect(message).toContain(path);
    expect(message).toContain(allowed);
    expect(message).not.toContain('geheim');
  });

  describe('a password hash', () => {
    const hash = (ln: number, salt = 16, length = 43, cost = 'r=8,p=1') =>
      `$scrypt$ln=${ln},${cost}$${'A'.repeat(salt)}$${'B'.repeat(length)}`;
    const hashed = (passwordHash: string) =>
      load(`auth: { basicAuth: { users: { eve: { passwordHash: "${passwordHash}" } } } }`);

    it.each([10, 15, 17])('may cost 2^%i', (ln) => {
      expect(hashed(hash(ln)).basicAuth?.users['eve']?.passwordHash).toBe(hash(ln));
    });

    it.each([
      ['costs less than 2^10', hash(9)],
      ['costs more than 2^17: it would need too much memory', hash(18)],
      ['has another block size', hash(15, 16, 43, 'r=9,p=1')],
      ['has another parallelism', hash(15, 16, 43, 'r=8,p=2')],
      ['has a salt of less than 12 bytes', hash(15, 15)],
      ['has less than 32 bytes', hash(15, 16, 42)],
    ])('is refused where it %s', (_, wrong) => {
      expect(() => hashed(wrong)).toThrow('auth.basicAuth.users.eve.passwordHash');
    });
  });

  describe('the clock skew', () => {
    const skewed = (skew: string) =>
      load(`auth: { openIdAuth: { providerUrl: "https://id.example.org", audience: a${skew} } }`).openIdAuth
        ?.clockSkewSeconds;

    it('is 30 s where it is left out, and may be 0 to 300 s', () => {
      expect(skewed('')).toBe(30);
      for (const seconds of [0, 9, 10, 99, 100, 299, 300])
        expect(skewed(`, clockSkewSeconds: ${seconds}`)).toBe(seconds);
    });

    it.each(['301', '310', '400', '1000', '-1', '1.5', '07'])('is refused as %s', (seconds) => {
      expect(() => skewed(`, clockSkewSeconds: "${seconds}"`)).toThrow('must be a number from 0 to 300');
    });
  });

  it('must have an authentication method', () => {
    expect(() => load('auth: {}')).toThrow('must have basicAuth, openIdAuth');
    expect(() => load('logLevel: info')).toThrow('AUTH_MODE is local, but the file has no section auth');
  });
});

describe('docs/callers.md', () => {
  const docs = readFileSync(new URL('../../../../docs/callers.md', import.meta.url), 'utf8');
  const examples = Array.from(docs.matchAll(/```yaml\n(.*?)```/gs), ([, text = '']) => text);

  it('has only examples that are valid', () => {
    expect(examples).toHaveLength(3);
    for (const example of examples) expect(Object.keys(load(example))).toContain('queueRules');
  });
});
