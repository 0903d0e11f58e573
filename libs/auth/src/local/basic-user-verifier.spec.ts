import { execFileSync } from 'node:child_process';
import { randomBytes, scryptSync } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseAuthSection } from './auth-section.js';
import { BasicUserVerifier } from './basic-user-verifier.js';
import { passwordMatches, decoyPassword } from './password.js';

const folder = mkdtempSync(join(tmpdir(), 'basic-users-'));
afterAll(() => rmSync(folder, { recursive: true }));

function hashOf(password: string, ln = 10): string {
  const salt = randomBytes(16);
  const hash = scryptSync(password, salt, 32, { N: 2 ** ln, r: 8, p: 1, maxmem: 2 ** 28 });
  const text = (bytes: Buffer): string => bytes.toString('base64').replaceAll('=', '');
  return `$scrypt$ln=${ln},r=8,p=1$${text(salt)}$${text(hash)}`;
}

function file(name: string, content: string): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

const users = new BasicUserVerifier(
  {
    users: {
      hashed: { passwordHash: hashOf('s3cret: é'), groups: ['team'] },
      costly: { passwordHash: hashOf('s3cret: é', 17), groups: [] },
      mounted: { passwordFile: file('mounted', 's3cret: é\n'), groups: [] },
      named: { passwordEnv: 'PASSWORD_OF_NAMED', groups: [] },
    },
  },
  { PASSWORD_OF_NAMED: 's3cret: é' },
);

const NAMES = ['hashed', 'costly', 'mounted', 'named'];

describe('a configured user', () => {
  it.each(NAMES)('%s is verified by the password, wherever it is stored', async (user) => {
    const { principal, expiresAt: until } = await users.verify({ user, password: 's3cret: é' }, 'caller');
    expect(principal.name).toBe(user);
    expect([...principal.groups]).toEqual(user === 'hashed' ? ['team', 'everyone'] : ['everyone']);
    expect(until).toBe(Infinity);
  });

  it.each(['hashed', 'mounted', 'named', 'nobody', 'constructor'])(
    '%s is refused with another password, with the same message',
    async (user) => {
      for (const password of ['s3cret', '']) {
        await expect(users.verify({ user, password }, 'caller')).rejects.toMatchObject({
          kind: 'unauthenticated',
          message: 'invalid username or password (authorization: Basic)',
        });
      }
    },
  );

  it('is verified in its turn while another caller sends wrong passwords', async () => {
    const order: string[] = [];
    const refused = Array.from({ length: 20 }, () =>
      users.verify({ user: 'hashed', password: 'wrong' }, 'flood').catch(() => order.push('refused')),
    );
    const verified = users
      .verify({ user: 'hashed', password: 's3cret: é' }, 'another')
      .then(() => order.push('verified'));
    await Promise.all([...refused, verified]);
    // One was being hashed, and one had its turn before.
    expect(order.indexOf('verified')).toBe(2);
  });

  it.each([
    ['mounted', true],
    ['hashed', false],
    ['nobody', false],
  ])('%s costs nothing to verify: %s', (user, isCheap) => {
    expect(users.isCheap({ user })).toBe(isCheap);
  });

  it('is verified while others are refused at the same time', async () => {
    const answers = await Promise.allSettled(
      ['wrong', 's3cret: é', 'wrong', 's3cret: é'].map((password) =>
        users.verify({ user: 'hashed', password }, 'caller'),
      ),
    );
    expect(answers.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'rejected', 'fulfilled']);
  });
});

describe('the time to refuse an unknown user', () => {
  /** The users in the order in which they are answered; all ask at once, in the order given. */
  async function answered(of: BasicUserVerifier, names: readonly string[]): Promise<string[]> {
    const order: string[] = [];
    await Promise.all(
      names.map((user) =>
        of.verify({ user, password: 'wrong' }, 'caller').catch(() => void order.push(user)),
      ),
    );
    return order;
  }

  it('is that of a user with a hashed password; users with plain-text passwords wait for no hash', async () => {
    expect(await answered(users, ['hashed', 'nobody', 'mounted'])).toEqual(['mounted', 'hashed', 'nobody']);
  });

  it('is that of the others where all passwords are in plain text', async () => {
    const plain = new BasicUserVerifier(
      { users: { named: { passwordEnv: 'NAMED', groups: [] } } },
      { NAMED: 's3cret' },
    );
    expect(await answered(plain, ['nobody', 'named'])).toEqual(['nobody', 'named']);
  });

  it('follows the cost of a configured hash, and no password matches', async () => {
    const like = { hash: hashOf('s3cret', 11) };
    const decoy = decoyPassword([{ plain: 's3cret' }, like, { hash: hashOf('s3cret') }]);
    const shape = ({ hash }: { hash: string }) =>
      hash.replace(/[^$]+\$[^$]+$/, (text) => 'x'.repeat(text.length));
    expect(shape(decoy as typeof like)).toBe(shape(like));
    expect(await passwordMatches(decoy, 's3cret')).toBe(false);
  });
});

it('the command in docs/callers.md makes a valid password hash', async () => {
  const docs = readFileSync(new URL('../../../../docs/callers.md', import.meta.url), 'utf8');
  const command = /```sh\n(node .*?)```/s.exec(docs)?.[1] ?? '';
  const passwordHash = execFileSync('sh', ['-c', command], { input: 'pa$$ word\n' }).toString().trim();
  const auth = parseAuthSection({
    content: { basicAuth: { users: { alice: { passwordHash } } } },
    file: 'settings.yaml',
  });
  const made = new BasicUserVerifier(auth.basicAuth ?? { users: {} }, {});
  expect((await made.verify({ user: 'alice', password: 'pa$$ word' }, 'caller')).principal.name).toBe(
    'alice',
  );
  await expect(made.verify({ user: 'alice', password: 'pa$$ word\n' }, 'caller')).rejects.toThrow();
});

describe('a password that cannot be read', () => {
  it('stops the start, with every problem and no secret', () => {
    const unreadable = join(folder, 'not-there');
    const make = () =>
      new BasicUserVerifier(
        {
          users: {
            one: { passwordFile: unreadable, groups: [] },
            two: { passwordFile: file('empty', '\n'), groups: [] },
            three: { passwordEnv: 'NOT_SET', groups: [] },
            four: { passwordEnv: 'EMPTY', groups: [] },
            good: { passwordEnv: 'GOOD', groups: [] },
          },
        },
        { EMPTY: '', GOOD: 'geheim' },
      );
    let message = '';
    try {
      make();
    } catch (error) {
      message = (error as Error).message;
    }
    expect(message).toContain('auth.basicAuth.users.one.passwordFile cannot be read: ENOENT');
    expect(message).toContain('auth.basicAuth.users.two.passwordFile names');
    expect(message).toContain('which is empty');
    expect(message).toContain(
      'auth.basicAuth.users.three.passwordEnv names the variable NOT_SET, which is not set',
    );
    expect(message).toContain(
      'auth.basicAuth.users.four.passwordEnv names the variable EMPTY, which is not set',
    );
    expect(message).not.toMatch(/geheim|good/);
  });
});
