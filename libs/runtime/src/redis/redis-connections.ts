import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import type { Settings } from '@ajs/config';
import {
  createRedisClient,
  isReady,
  redisErrorKind,
  type ClientRole,
  type RedisClient,
} from '@ajs/job-store';
import { Metrics, logConnection, throttledLog, type Log, type ThrottledLog } from '@ajs/observability';
import { completesWithin } from '@ajs/platform';
import { Readiness } from '../health/readiness.js';
import { LOG, SETTINGS } from '../process/tokens.js';
import type { RedisUser } from './missing-rights.js';
import { RedisRights } from './redis-rights.js';

/** A process that starts waits this long for Redis. Milliseconds. */
const FIRST_CONTACT_MS = 3_000;
const DENIED = 'Redis denies access; check the user, its password and its rights (docs/redis.md)';

/** The connections of this process to Redis, closed when it stops. */
@Injectable()
export class RedisConnections implements OnApplicationShutdown {
  private readonly clients: RedisClient[] = [];
  private opened: RedisClient | undefined;
  private rights: RedisRights | undefined;
  private readonly logDenied: ThrottledLog;

  constructor(
    @Inject(SETTINGS) private readonly settings: Settings,
    @Inject(LOG) private readonly log: Log,
    @Inject(Metrics) private readonly metrics: Metrics,
    @Inject(Readiness) private readonly readiness: Readiness,
  ) {
    this.logDenied = throttledLog(log);
  }

  /**
   * A client for job states: the log says when its connection comes and goes. The process is ready while it has one, and its user the
   * rights that all of this process needs.
   */
  openMain(role: RedisUser): RedisClient {
    const client = this.open(role);
    logConnection(client, this.log);
    this.readiness.add('redis', () => client.exists(client.ownKeys.format({ kind: 'replicas' })));
    const rights = new RedisRights(client, role, this.log);
    this.rights = rights;
    void rights.start();
    this.readiness.add('redisRights', () => rights.check());
    this.opened = client;
    return client;
  }

  /** The client that {@link openMain} has opened. */
  get main(): RedisClient {
    if (this.opened === undefined) throw new Error('no client for job states was opened');
    return this.opened;
  }

  open(role: ClientRole): RedisClient {
    const client = createRedisClient(this.settings.redis, role, (error) => {
      const cause = redisErrorKind(error);
      this.metrics.redisErrors.inc({ cause });
      if (cause === 'denied') this.logDenied('error', { err: error }, DENIED);
      else this.log.debug({ err: error, role }, 'Redis connection failed');
    });
    this.clients.push(client);
    return client;
  }

  /** Resolves when the client for job states has its connection, or after 3 s without. */
  async firstContact(): Promise<void> {
    await completesWithin(FIRST_CONTACT_MS, isReady(this.main));
  }

  onApplicationShutdown(): void {
    this.rights?.close();
    for (const client of this.clients) client.disconnect();
  }
}
