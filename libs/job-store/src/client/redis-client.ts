import { RedisKeys } from '@ajs/redis-keys';
import { Redis, type Cluster } from 'ioredis';
import { readAnswersBeforeTimeouts } from './answers-before-timeouts.js';
import { ClusterClient } from './cluster-client.js';
import { endWhenClosed } from './end-when-closed.js';
import { replaceReadOnly } from './read-only.js';
import { tlsOptions, type RedisTls } from './redis-tls.js';
import { sendTogether } from './send-together.js';

/**
 * A client of Redis, single or Cluster, with the names of what this deployment has there: who has a client cannot take those of another
 * deployment. (The option `keyPrefix` of ioredis changes neither what scripts return nor the names of channels, and BullMQ refuses it.)
 */
export type RedisClient = (Redis | Cluster) & { readonly ownKeys: RedisKeys };

/** One server's address. */
export interface RedisNode {
  readonly host: string;
  readonly port: number;
}

interface Login {
  readonly username?: string;
  readonly password?: string;
}

/** Where Redis is. */
export type RedisTarget = (
  | { readonly kind: 'single'; readonly url: string }
  | ({ readonly kind: 'cluster'; readonly nodes: readonly RedisNode[]; readonly tls: boolean } & Login)
  | ({
      readonly kind: 'sentinel';
      readonly sentinels: readonly RedisNode[];
      /** What the sentinels call the master. */
      readonly name: string;
      /** To the sentinels and to the servers alike. */
      readonly tls: boolean;
      /** The login at the sentinels; the other is that at the servers. */
      readonly sentinelUsername?: string;
      readonly sentinelPassword?: string;
    } & Login)
) &
  RedisTls & {
    /** What all keys and channels of this deployment begin with. Left out: nothing. */
    readonly keyPrefix?: string;
  };

/**
 * What a client is for, since each use wants its own behaviour while Redis is unavailable.
 * - `reader`: a poll wants an answer now: no queue of commands, no retry, one second at most.
 * - `writer`: an owner tries the same batch again anyway: a few retries, then an error, so that memory stays bounded.
 * - `subscriber`: subscribes to channels of single slots, and does nothing else. Who uses it subscribes again when it is ready again.
 * - `work-queue`: BullMQ's rules: commands wait for Redis as long as it takes.
 */
export type ClientRole = 'reader' | 'writer' | 'subscriber' | 'work-queue';

const TIMEOUT_MS: Record<ClientRole, number> = {
  reader: 1000,
  writer: 5000,
  subscriber: 5000,
  'work-queue': 5000,
};
/**
 * A connection that owes an answer and is silent for so long is dead, and is replaced: a server that went silently (its machine
 * failed, a firewall forgot the connection) would be noticed after a quarter of an hour. BullMQ's workers wait up to
 * 10 s for one answer.
 */
const SILENCE_MS: Record<ClientRole, number> = {
  reader: 3_000,
  writer: 8_000,
  subscriber: 8_000,
  'work-queue': 15_000,
};
const LONGEST_RECONNECT_DELAY_MS = 1000;
/** The second redirection of a cluster, and each one after it, comes 100 ms after the one before. */
const REDIRECTIONS: Record<ClientRole, number> = { reader: 4, writer: 16, subscriber: 16, 'work-queue': 16 };

/** A sentinel that does not answer in this time is passed over. */
const SENTINEL_MS = 1_000;

const reconnectDelay = (attempt: number): number =>
  Math.min(50 * 2 ** Math.min(attempt, 10), LONGEST_RECONNECT_DELAY_MS) * (0.5 + Math.random() / 2);

/**
 * Connects to Redis, and again whenever the connection is lost. `onError` hears of connections that fail; without a
 * listener the client would write to the console by itself. Throws where the files for TLS cannot be used.
 */
export function createRedisClient(
  target: RedisTarget,
  role: ClientRole,
  onError: (error: Error) => void,
): RedisClient {
  const client = connect(target, role, onError);
  readAnswersBeforeTimeouts(client);
  if (client instanceof Redis) {
    sendTogether(client);
    if (target.kind === 'sentinel') endWhenClosed(client);
  }
  client.on('error', onError);
  return Object.assign(client, { ownKeys: new RedisKeys(target.keyPrefix) });
}

/** Resolves as soon as commands are accepted, which is never while Redis is unavailable. */
export async function isReady(client: RedisClient): Promise<void> {
  if (client.status !== 'ready') await new Promise((resolve) => client.once('ready', resolve));
}

function connect(target: RedisTarget, role: ClientRole, onError: (error: Error) => void): Redis | Cluster {
  const perConnection = {
    ...(role !== 'work-queue' && { commandTimeout: TIMEOUT_MS[role] }),
    connectTimeout: TIMEOUT_MS[role],
    socketTimeout: SILENCE_MS[role],
    // Finds it where no answer is owed, as by a subscriber.
    keepAlive: SILENCE_MS[role],
    maxRetriesPerRequest: { reader: 0, writer: 2, subscriber: 2, 'work-queue': null }[role],
    autoResendUnfulfilledCommands: role !== 'reader',
    // Nobody would catch what Redis says to that, and it would end the process.
    autoResubscribe: false,
    connectionName: `armada-job-service-${role}`,
    // Redis 7.0 knows no CLIENT SETINFO.
    disableClientInfo: true,
  };
  const perClient = { enableOfflineQueue: role !== 'reader' };
  const usesTls = target.kind === 'single' ? target.url.startsWith('rediss:') : target.tls;
  const withTls = usesTls && { tls: tlsOptions(target, target.serverName, onError) };
  if (target.kind === 'single') {
    return new Redis(target.url, {
      ...perConnection,
      ...perClient,
      ...withTls,
      retryStrategy: reconnectDelay,
      reconnectOnError: replaceReadOnly(role === 'reader' ? 'reject' : 'resend'),
    });
  }
  const access = {
    ...(target.username !== undefined && { username: target.username }),
    ...(target.password !== undefined && { password: target.password }),
    ...withTls,
  };
  if (target.kind === 'sentinel') {
    return new Redis({
      ...perConnection,
      ...perClient,
      ...access,
      name: target.name,
      sentinels: target.sentinels.map(({ host, port }) => ({ host, port })),
      ...(target.sentinelUsername !== undefined && { sentinelUsername: target.sentinelUsername }),
      ...(target.sentinelPassword !== undefined && { sentinelPassword: target.sentinelPassword }),
      ...(target.tls && {
        // The certificate of a sentinel names its host, as the settings do.
        sentinelTLS: tlsOptions(target, undefined, onError),
        enableTLSForSentinelMode: true,
      }),
      sentinelCommandTimeout: SENTINEL_MS,
      sentinelRetryStrategy: reconnectDelay,
      // A master that went silently is left as soon as the sentinels have another.
      failoverDetector: true,
      sentinelReconnectStrategy: reconnectDelay,
      retryStrategy: reconnectDelay,
      reconnectOnError: replaceReadOnly(role === 'reader' ? 'reject' : 'resend'),
    });
  }
  return new ClusterClient([...target.nodes], {
    ...perClient,
    shardedSubscribers: role === 'subscriber',
    redisOptions: { ...perConnection, ...access },
    // Certificates are for host names: by itself the client would connect to addresses.
    dnsLookup: (host, callback) => callback(null, host),
    maxRedirections: REDIRECTIONS[role],
    clusterRetryStrategy: reconnectDelay,
  });
}
