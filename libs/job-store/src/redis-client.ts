import { Cluster, Redis } from 'ioredis';
import type { RedisClient } from './scripts.js';

/** Where Redis is. */
export type RedisTarget =
  | { readonly kind: 'single'; readonly url: string }
  | {
      readonly kind: 'cluster';
      readonly nodes: readonly { readonly host: string; readonly port: number }[];
      readonly username?: string;
      readonly password?: string;
      readonly tls: boolean;
    };

/**
 * What a client is for, since each use wants its own answer when Redis is away.
 * - `reader`: a poll wants an answer now: no queue of commands, no retry, one second at most.
 * - `writer`: a holder tries the same batch again anyway: a few retries, then an error, so that memory stays bounded.
 * - `work-queue`: BullMQ's rules: commands wait for Redis as long as it takes.
 */
export type ClientRole = 'reader' | 'writer' | 'work-queue';

const TIMEOUT_MS: Record<ClientRole, number> = { reader: 1000, writer: 5000, 'work-queue': 5000 };
/**
 * A connection that owes an answer and brings nothing for so long is dead, and is made anew: a server that went without a word
 * (its machine failed, a firewall forgot the connection) is else noticed after a quarter of an hour. BullMQ's workers wait up to
 * 10 s for one answer.
 */
const SILENCE_MS: Record<ClientRole, number> = { reader: 3_000, writer: 8_000, 'work-queue': 15_000 };
const LONGEST_RECONNECT_DELAY_MS = 1000;

const reconnectDelay = (attempt: number): number =>
  Math.min(50 * 2 ** Math.min(attempt, 10), LONGEST_RECONNECT_DELAY_MS) * (0.5 + Math.random() / 2);

/**
 * Connects to Redis, and again whenever the connection is lost. `onError` hears of connections that fail; without a
 * listener the client would write to the console by itself.
 */
export function createRedisClient(
  target: RedisTarget,
  role: ClientRole,
  onError: (error: Error) => void,
): RedisClient {
  const client = connect(target, role);
  client.on('error', onError);
  return client;
}

function connect(target: RedisTarget, role: ClientRole): RedisClient {
  const perConnection = {
    ...(role !== 'work-queue' && { commandTimeout: TIMEOUT_MS[role] }),
    connectTimeout: TIMEOUT_MS[role],
    socketTimeout: SILENCE_MS[role],
    // Finds it where no answer is owed, as by a subscriber.
    keepAlive: SILENCE_MS[role],
    maxRetriesPerRequest: { reader: 0, writer: 2, 'work-queue': null }[role],
    autoResendUnfulfilledCommands: role !== 'reader',
    connectionName: `armada-job-service-${role}`,
  };
  const perClient = { enableOfflineQueue: role !== 'reader', enableAutoPipelining: role !== 'work-queue' };
  if (target.kind === 'single') {
    return new Redis(target.url, { ...perConnection, ...perClient, retryStrategy: reconnectDelay });
  }
  return new Cluster([...target.nodes], {
    ...perClient,
    redisOptions: {
      ...perConnection,
      ...(target.username !== undefined && { username: target.username }),
      ...(target.password !== undefined && { password: target.password }),
      ...(target.tls && { tls: {} }),
    },
    slotsRefreshTimeout: TIMEOUT_MS[role],
    clusterRetryStrategy: reconnectDelay,
  });
}
