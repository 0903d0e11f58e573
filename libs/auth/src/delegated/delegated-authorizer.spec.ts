import type { AuthError } from '../authorizer.js';
import type { ArmadaPermissions, ArmadaVerdict } from './armada-permissions.js';
import { DelegatedAuthorizer } from './delegated-authorizer.js';

const TTL_MS = 60_000;
const REFUSAL_MS = 5_000;
const ALICE = 'Bearer token-of-alice';
/** What is asked about is the credential alone. */
const ANYTHING = 'anything';

/** Says what it is told to, and notes the queues that it was asked about. */
class Armada implements ArmadaPermissions {
  readonly asked: string[] = [];
  verdicts: Record<string, ArmadaVerdict> = {};

  authenticates(): Promise<'yes'> {
    this.asked.push(ANYTHING);
    return Promise.resolve('yes');
  }

  mayWatch(_: string | undefined, queue: string): Promise<ArmadaVerdict> {
    this.asked.push(queue);
    return Promise.resolve(this.verdicts[queue] ?? 'no');
  }
}

let armada: Armada;
let now: number;
let authorizer: DelegatedAuthorizer;
beforeEach(() => {
  armada = new Armada();
  now = 0;
  authorizer = new DelegatedAuthorizer({
    armada,
    shared: undefined,
    verdictTtlMs: TTL_MS,
    refusalTtlMs: REFUSAL_MS,
    redisFailed: () => undefined,
    clock: { monotonic: () => now, wall: () => now },
  });
});

/** What a caller is told: a verdict, or why there is none. */
const ask = (queue: string, authorization = ALICE): Promise<string> =>
  authorizer
    .mayWatch({ authorization }, queue)
    .catch(({ kind, message }: AuthError) => `${kind}: ${message}`);

describe('that a credential is somebody’s', () => {
  it.each<ArmadaVerdict>(['no', 'no-queue'])(
    'is known as long as before after a verdict that ends sooner: %s',
    async (verdict) => {
      await authorizer.authenticate({ authorization: ALICE });
      armada.verdicts = { other: verdict };
      expect(await ask('other')).toBe(verdict);
      now += REFUSAL_MS;
      await authorizer.authenticate({ authorization: ALICE });
      expect(armada.asked).toEqual([ANYTHING, 'other']);
    },
  );

  it('is known for longer after a verdict that ends later', async () => {
    expect(await ask('other')).toBe('no');
    now += REFUSAL_MS - 1;
    armada.verdicts = { hers: 'yes' };
    expect(await ask('hers')).toBe('yes');
    now += REFUSAL_MS;
    await authorizer.authenticate({ authorization: ALICE });
    expect(armada.asked).toEqual(['other', 'hers']);
  });
});
