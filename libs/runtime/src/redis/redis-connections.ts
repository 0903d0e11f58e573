import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import type { Settings } from '@ajs/config';
import {
  createRedisClient,
  isReady,
  redisErrorKind,
  type ClientRole,
  type RedisClient,
} from '@ajs/job-store';
import { Metrics, logConnection, type Log } from '@ajs/observability';
import { completesWithin } from '@ajs/platform';
import { formatKey } from '@ajs/redis-keys';
import { Readiness } from '../health/readiness.js';
import { LOG, SETTINGS } from '../process/tokens.js';

/** A process that starts waits this long for Redis. Milliseconds. */
const FIRST_CONTACT_MS = 3_000;

/** The connections of this process to Redis, closed when it stops. */
@Injectable()
export class RedisConnections implements OnApplicationShutdown {
  private readonly clients: RedisClient[] = [];
  private opened: RedisClient | undefined;

  constructor(
    @Inject(SETTINGS) private readonly settings: Settings,
    @Inject(LOG) private readonly log: Log,
    @Inject(Metrics) private readonly metrics: Metrics,
    @Inject(Readiness) private readonly readiness: Readiness,
  ) {}

  /** A client for job states: the log says when its connection comes and goes, and the process is ready while it has one. */
  openMain(role: 'reader' | 'writer'): RedisClient {
    const client = this.open(role);
    logConnection(client, this.log);
    this.readiness.add('redis', () => client.exists(formatKey({ kind: 'replicas' })));
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
      this.metrics.redisErrors.inc({ cause: redisErrorKind(error) });
      this.log.debug({ err: error, role }, 'Redis connection failed');
    });
    this.clients.push(client);
    return client;
  }

  /** Resolves when the client for job states has its connection, or after 3 s without. */
  async firstContact(): Promise<void> {
    await completesWithin(FIRST_CONTACT_MS, isReady(this.main));
  }

  onApplicationShutdown(): void {
    for (const client of this.clients) client.disconnect();
  }
}
