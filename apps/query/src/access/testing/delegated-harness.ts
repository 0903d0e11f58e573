import { PermissionProbe, createForwardingChannels } from '@ajs/armada-client';
import { withoutTls } from '@ajs/armada-credentials';
import { createAuthorizer, type AuthError, type Authorizer, type Verdict } from '@ajs/auth';
import { createRedisClient, type RedisClient } from '@ajs/job-store';
import { FakeArmada, ManualClock, RedisServer, eventually } from '@ajs/testing';

/** May watch queue `hers`. */
export const ALICE = 'Bearer token-of-alice';
/** May watch queue `his`. */
export const BOB = `Basic ${Buffer.from('bob:his-password').toString('base64')}`;
export const SECRET = 'a secret that Redis does not know!';
export const EVENTS = '/api.Event/GetJobSetEvents';
export const HEALTH = '/api.Event/Health';
export const TTL_MS = 60_000;
export const REFUSAL_MS = 5_000;

/** Replicas with AUTH_MODE=delegated over one fake Armada, one Redis and one manual clock. */
export class DelegatedHarness {
  readonly clock = new ManualClock();
  readonly redisErrors: Error[] = [];
  private readonly cleanups: (() => unknown)[] = [];

  private constructor(
    readonly redis: RedisClient,
    readonly armada: FakeArmada,
    private readonly armadaAddress: string,
  ) {}

  /** Empties the Redis. */
  static async start(server: RedisServer): Promise<DelegatedHarness> {
    const redis = await connect(server);
    await redis.flushall();
    const armada = new FakeArmada();
    armada.security.rules = {
      basicUsers: { bob: { password: 'his-password' } },
      bearerTokens: { 'token-of-alice': { name: 'alice' } },
    };
    armada.state.queues.letWatch('hers', { users: ['alice'] });
    armada.state.queues.letWatch('his', { users: ['bob'] });
    return new DelegatedHarness(redis, armada, await armada.listen('127.0.0.1:0'));
  }

  async stop(): Promise<void> {
    for (const cleanUp of this.cleanups) await cleanUp();
    this.redis.disconnect();
    this.armada.stop();
  }

  /** The authorizer of one replica. */
  replica(authCacheSecret = '', redis = this.redis): Authorizer {
    const channels = createForwardingChannels(withoutTls(this.armadaAddress), 65_536);
    this.cleanups.push(() => channels.close());
    const settings = {
      authMode: 'delegated',
      authVerdictTtlMs: TTL_MS,
      authRefusalTtlMs: REFUSAL_MS,
      authCacheSecret,
    } as const;
    return createAuthorizer(
      {
        settings,
        env: {},
        armada: new PermissionProbe(channels),
        grants: { watchersOf: () => Promise.reject(new Error('Armada is never asked as this service')) },
        redis,
        redisFailed: (error) => this.redisErrors.push(error),
        warn: () => undefined,
      },
      this.clock,
    );
  }

  /** A replica whose Redis has been killed. */
  async replicaWithoutRedis(): Promise<Authorizer> {
    const server = await RedisServer.start();
    const client = await connect(server);
    this.cleanups.push(
      () => client.disconnect(),
      () => server.stop(),
    );
    await server.kill();
    return this.replica(SECRET, client);
  }

  /** How many checks Armada was asked for. */
  checks(): number {
    return this.armada.calls.count(EVENTS) + this.armada.calls.count(HEALTH);
  }

  /** A JWT, as far as one is parsed here, that Armada takes for Alice's and for nobody else's. */
  aliceUntil(expiresAt: number): string {
    const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    const token = `${part({ alg: 'RS256' })}.${part({ exp: expiresAt / 1000 })}.c2ln`;
    this.armada.security.rules = { bearerTokens: { [token]: { name: 'alice' } } };
    return `Bearer ${token}`;
  }
}

async function connect(server: RedisServer): Promise<RedisClient> {
  const client = createRedisClient({ kind: 'single', url: server.url }, 'reader', () => undefined);
  await eventually('Redis answers', () => client.status === 'ready');
  return client;
}

/** What the caller gets: a verdict, or why there is none. `who`: whose share of the checks it takes. */
export async function verdictOf(
  authorizer: Authorizer,
  authorization: string | undefined,
  queue: string,
  who = 'caller',
): Promise<string> {
  return outcomeOf(authorizer.mayWatch({ authorization }, queue, who));
}

/** The verdict, `authenticated` where there is none to give, or the error as `kind: message`. */
export function outcomeOf(check: unknown): Promise<string> {
  return Promise.resolve(check).then(
    (verdict) => (verdict as Verdict | undefined) ?? 'authenticated',
    (error: unknown) => `${(error as AuthError).kind}: ${(error as AuthError).message}`,
  );
}
