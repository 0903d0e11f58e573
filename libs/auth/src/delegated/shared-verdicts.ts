import { createHmac, createSecretKey, type KeyObject } from 'node:crypto';
import type { RedisClient } from '@ajs/job-store';
import { VerdictDigest } from '@ajs/redis-keys';
import type { ArmadaVerdict } from './armada-permissions.js';

/** A verdict that this replica or another one shared. */
export interface SharedVerdict {
  readonly verdict: ArmadaVerdict;
  /** How long it is still valid. Milliseconds. */
  readonly ttlMs: number;
}

/**
 * Verdicts in Redis, shared by all replicas. Redis never holds a credential, nor anything to guess one from: keys are HMACs under a
 * secret that Redis does not have.
 */
export class SharedVerdicts {
  private readonly secret: KeyObject;

  constructor(
    private readonly redis: RedisClient,
    secret: string,
  ) {
    this.secret = createSecretKey(Buffer.from(secret));
  }

  /** The verdict on the credential, or on its right to watch the queue. Rejects if Redis is unavailable. */
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
    { verdict, ttlMs }: SharedVerdict,
  ): Promise<void> {
    await this.redis.set(this.keyOf(authorization, queue), verdict, 'PX', ttlMs);
  }

  private async read(
    authorization: string | undefined,
    queue: string | undefined,
  ): Promise<SharedVerdict | undefined> {
    const key = this.keyOf(authorization, queue);
    // The time left is by Redis' clock: those of replicas differ.
    const [verdict, ttlMs] = await Promise.all([this.redis.get(key), this.redis.pttl(key)]);
    if (ttlMs <= 0) return undefined;
    return verdict === 'yes' || verdict === 'no' || verdict === 'bad-credentials'
      ? { verdict, ttlMs }
      : undefined;
  }

  /** JSON keeps different pairs apart. */
  private keyOf(authorization: string | undefined, queue: string | undefined): string {
    const text = JSON.stringify([authorization ?? null, queue ?? null]);
    return this.redis.ownKeys.format({
      kind: 'verdict',
      digest: VerdictDigest(createHmac('sha256', this.secret).update(text).digest('hex')),
    });
  }
}
