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
    ['openIdAuth: { providerUrl: "https://id.example.org" }', 'auth.openIdAuth.audience', ''],
    ['queueRules: [{ groups: [a] }]', 'auth.queueRules.0.queue', ''],
    ['anonymousAuth: yes', 'auth.anonymousAuth', '"true"|"false"'],
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
