import { isReady, type RedisClient } from '@ajs/job-store';
import type { Log } from '@ajs/observability';
import { missingRights, type RedisUser } from './missing-rights.js';

/** How soon rights are looked at again: while some are missing or could not be tried, and while there are all. */
const RETRY_MS = 5_000;
const LOOK_AGAIN_MS = 60_000;

/**
 * Whether the user of Redis has all rights that this process needs. What is missing is said once, as a rule to grant, and noticed when it
 * was granted: by itself it would show as some part of the service that does nothing.
 */
export class RedisRights {
  private missing: readonly string[] = [];
  private timer: NodeJS.Timeout | undefined;
  private isClosed = false;

  constructor(
    private readonly client: RedisClient,
    private readonly user: RedisUser,
    private readonly log: Log,
  ) {}

  /** Looks now and from time to time, once Redis is available. */
  async start(): Promise<void> {
    await isReady(this.client);
    await this.look();
  }

  close(): void {
    this.isClosed = true;
    clearTimeout(this.timer);
  }

  /** Rejects, with what is missing, where rights are known to be missing. */
  check(): Promise<void> {
    return this.missing.length === 0
      ? Promise.resolve()
      : Promise.reject(new Error(`the user of Redis lacks rights: ${this.missing.join(' ')}`));
  }

  private async look(): Promise<void> {
    const looked = await missingRights(this.client, this.user).catch((error: unknown) => {
      this.log.debug({ err: error }, 'could not try the rights of the user of Redis');
      return undefined;
    });
    if (this.isClosed) return;
    if (looked !== undefined) this.report(looked);
    const isFine = looked?.length === 0;
    this.timer = setTimeout(() => void this.look(), isFine ? LOOK_AGAIN_MS : RETRY_MS).unref();
  }

  private report(missing: readonly string[]): void {
    const before = this.missing;
    this.missing = missing;
    if (missing.join() === before.join()) return;
    if (missing.length === 0) this.log.info('the user of Redis has all rights now');
    else {
      this.log.error(
        { missing },
        'the user of Redis lacks rights; grant them with ACL SETUSER, as in docs/redis.md',
      );
    }
  }
}
