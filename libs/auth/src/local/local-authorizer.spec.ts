import { ManualClock } from '@ajs/testing';
import type { AuthError } from '../authorizer.js';
import { parseAuthSection } from './auth-section.js';
import type { CallerVerifier } from './caller-verifier.js';
import { LocalAuthorizer } from './local-authorizer.js';
import { principal } from './principal.js';

const encoded = (text: string): string => Buffer.from(text).toString('base64');
/** Each kind of credential, to a new one of it. */
const KINDS: Readonly<Record<string, (name: string) => string>> = {
  basic: (name) => `Basic ${encoded(`${name}:secret`)}`,
  kubernetes: (name) => `KubernetesAuth ${Buffer.from(name).toString('base64url')}`,
  bearer: (name) => `Bearer ${name}`,
};

/** Knows everybody, and says so when it is told to. */
function slowService() {
  let answer = (): void => undefined;
  const told = new Promise<void>((resolve) => (answer = resolve));
  const verify = () => told.then(() => ({ principal: principal('somebody'), expiresAt: Infinity }));
  return { answer, service: { verify } satisfies CallerVerifier<'basic' | 'kubernetes' | 'bearer'> };
}

it.each(Object.keys(KINDS))(
  'a flood of credentials of the kind %s keeps out nobody of another',
  async (kind) => {
    const slow = slowService();
    const quick = slowService();
    quick.answer();
    const services = { basic: quick.service, kubernetes: quick.service, bearer: quick.service };
    const authorizer = new LocalAuthorizer({
      auth: parseAuthSection({ content: { kubernetesAuth: {} }, file: 'settings.yaml' }),
      verifiers: { ...services, [kind]: slow.service },
      queueGrants: undefined,
      verdictTtlMs: 60_000,
      refusalTtlMs: 5_000,
      clock: new ManualClock(),
    });
    const ask = (of: string, name: string): Promise<string> =>
      Promise.resolve(authorizer.authenticate({ authorization: KINDS[of]?.(name) })).then(
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
