import { ManualClock } from '@ajs/testing';
import type { AuthError } from '../authorizer.js';
import { parseAuthSection } from './auth-section.js';
import type { CallerVerifier } from './caller-verifier.js';
import { LocalAuthorizer } from './local-authorizer.js';
import { principal } from './principal.js';

const encoded = (text: string): string => Buffer.from(text).toString('base64');
/** Makes a new credential of each kind. */
const KINDS: Readonly<Record<string, (name: string) => string>> = {
  basic: (name) => `Basic ${encoded(`${name}:secret`)}`,
  kubernetes: (name) => `KubernetesAuth ${Buffer.from(name).toString('base64url')}`,
  bearer: (name) => `Bearer ${name}`,
};

/** A verifier that accepts everybody, once a test lets it. */
function slowVerifier() {
  let answer = (): void => undefined;
  const answered = new Promise<void>((resolve) => (answer = resolve));
  const verify = () => answered.then(() => ({ principal: principal('somebody'), expiresAt: Infinity }));
  return { answer, verifier: { verify } satisfies CallerVerifier<'basic' | 'kubernetes' | 'bearer'> };
}

it.each(Object.keys(KINDS))(
  'a flood of %s credentials locks out nobody who uses another scheme',
  async (kind) => {
    const slow = slowVerifier();
    const quick = slowVerifier();
    quick.answer();
    const verifiers = { basic: quick.verifier, kubernetes: quick.verifier, bearer: quick.verifier };
    const authorizer = new LocalAuthorizer({
      auth: parseAuthSection({ content: { kubernetesAuth: {} }, file: 'settings.yaml' }),
      verifiers: { ...verifiers, [kind]: slow.verifier },
      queueGrants: undefined,
      verdictTtlMs: 60_000,
      refusalTtlMs: 5_000,
      clock: new ManualClock(),
    });
    const ask = (of: string, name: string): Promise<string> =>
      // Each credential comes from another address.
      Promise.resolve(authorizer.authenticate({ authorization: KINDS[of]?.(name) }, name)).then(
        () => 'somebody',
        (error: unknown) => (error as AuthError).kind,
      );
    const flood = Promise.all(Array.from({ length: 30 }, (_, i) => ask(kind, `random-${i}`)));
    for (const other of Object.keys(KINDS))
      expect(await ask(other, 'new')).toBe(other === kind ? 'unavailable' : 'somebody');
    slow.answer();
    expect((await flood).filter((answer) => answer === 'somebody')).toHaveLength(20);
  },
);

it('a flood of wrong passwords refuses nobody whose password costs nothing to check', async () => {
  const slow = slowVerifier();
  const isCheap = ({ user }: { user: string }): boolean => user === 'plain';
  const verify = ({ user }: { user: string }) =>
    user === 'plain'
      ? Promise.resolve({ principal: principal(user), expiresAt: Infinity })
      : slow.verifier.verify();
  const authorizer = new LocalAuthorizer({
    auth: parseAuthSection({ content: { kubernetesAuth: {} }, file: 'settings.yaml' }),
    verifiers: { basic: { verify, isCheap }, kubernetes: undefined, bearer: undefined },
    queueGrants: undefined,
    verdictTtlMs: 60_000,
    refusalTtlMs: 5_000,
    clock: new ManualClock(),
  });
  const ask = (name: string): Promise<string> =>
    Promise.resolve(authorizer.authenticate({ authorization: KINDS['basic']?.(name) }, 'one address')).then(
      () => 'verified',
      (error: unknown) => (error as AuthError).kind,
    );
  const flood = Array.from({ length: 60 }, (_, i) => ask(`hashed-${i}`));
  expect(await flood.at(-1)).toBe('unavailable');
  expect(await ask('plain')).toBe('verified');
  slow.answer();
  await Promise.all(flood);
});
