import { createHmac, createSecretKey, type KeyObject } from 'node:crypto';
import type { RedisClient } from '@ajs/job-store';
import { VerdictDigest, formatKey } from '@ajs/redis-keys';
import type { ArmadaVerdict } from './armada-permissions.js';

/** What another replica found out, or this one. */
export interface SharedVerdict {
  readonly verdict: ArmadaVerdict;
  /** How long it holds still. Milliseconds. */
  readonly ttlMs: number;
}

/**
 * Verdicts in Redis, for all replicas. Redis never holds a credential, nor what one could be guessed from: keys are HMACs under
 * a secret that Redis does not have.
 */
export class SharedVerdicts {
  private readonly secret: KeyObject;

  constructor(
    private readonly redis: RedisClient,
    secret: string,
  ) {
    this.secret = createSecretKey(Buffer.from(secret));
  }

  /** What is known of the credential, or of its right to watch the queue. Rejects where Redis does not answer. */
  async find(
    authorization: string | undefined,
    queue: string | undefined,
  ): Promise<SharedVerdict | undefined> {
    const [ofCredential, ofQueue] = await Promise.all([
      this.read(authorization, undefined),
      queue === undefined ? undefined : this.read(authorization, queue),
    ]);
    return queue === undefined || ofCredential?.verdict === 'bad-credentials' ? ofCredential : ofQueue;
  }

  async share(
    authorization: string | undefined,
    queue: string | undefined,
    { verdict, ttlMs: forMs }: SharedVerdict,
  ): Promise<void> {
    await this.redis.set(this.keyOf(authorization, queue), verdict, 'PX', forMs);
  }

  private async read(
    authorization: string | undefined,
    queue: string | undefined,
  ): Promise<SharedVerdict | undefined> {
    const key = this.keyOf(authorization, queue);
    // Time left by Redis' own clock: those of replicas differ.
    const [verdict, forMs] = await Promise.all([this.redis.get(key), this.redis.pttl(key)]);
    if (forMs <= 0) return undefined;
    return verdict === 'yes' || verdict === 'no' || verdict === 'bad-credentials'
      ? { verdict, ttlMs: forMs }
      : undefined;
  }

  /** JSON keeps different questions apart. */
  private keyOf(authorization: string | undefined, queue: string | undefined): string {
    const text = JSON.stringify([authorization ?? null, queue ?? null]);
    return formatKey({
      kind: 'verdict',
      digest: VerdictDigest(createHmac('sha256', this.secret).update(text).digest('hex')),
    });
  }
}
