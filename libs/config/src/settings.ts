import { isKeyPrefix } from '@ajs/redis-keys';
import type { z } from 'zod';
import {
  IMPLEMENTED_SERVICES,
  parseHostNames,
  parseHostPort,
  parseRedisUrl,
  parseServices,
  withoutLogin,
} from './parsers.js';
import {
  count,
  duration,
  listenAddress,
  oneOf,
  optionalFile,
  optionalListenAddress,
  secret,
  setting,
  type Setting,
} from './setting.js';

/** Every setting of both processes: one file can serve both. */
export const SETTINGS = {
  armadaAddress: setting(
    'both',
    'ARMADA_URL',
    'localhost:50051',
    'gRPC address of Armada',
    'host:port, without a scheme',
    (text) => parseHostPort(text, 1),
    withoutLogin,
  ),
  armadactlConfig: optionalFile(
    'both',
    'ARMADACTL_CONFIG',
    'Configuration file of `armadactl`. Its current context gives the address of Armada and the credentials to use there',
  ),
  armadaForceNoTls: setting(
    'both',
    'ARMADA_FORCE_NO_TLS',
    'false',
    'Connect to Armada without TLS. Without this setting only `localhost` and loopback addresses are reached without TLS',
    'true or false',
    (text) => (text === 'true' || text === 'false' ? text === 'true' : undefined),
  ),
  armadaTlsCaFile: optionalFile(
    'both',
    'ARMADA_TLS_CA_FILE',
    'CA certificates (PEM) that verify the certificate of Armada. Replaces the CA certificates of the system',
  ),
  armadaTlsCertFile: optionalFile(
    'both',
    'ARMADA_TLS_CERT_FILE',
    'Client certificate (PEM) to present to Armada',
  ),
  armadaTlsKeyFile: optionalFile('both', 'ARMADA_TLS_KEY_FILE', 'Key (PEM) of the client certificate'),
  armadaTlsServerName: setting(
    'both',
    'ARMADA_TLS_SERVER_NAME',
    '',
    'Name expected in the certificate of Armada, if it is not the host of its address',
    'a host name',
    (text) => (/^[A-Za-z0-9._-]*$/.test(text) ? text : undefined),
  ),
  redis: setting(
    'both',
    'REDIS_URL',
    'redis://localhost:6379',
    'Address of Redis 7.0 or later: a single server, a cluster (`redis-cluster://a:6379,b:6379`) or Sentinel (`redis-sentinel://a:26379,b:26379/NAME`). Use `rediss` in place of `redis` for TLS. `user:password@` may precede the hosts',
    'redis://host:port, redis-cluster://host:port,host:port, or redis-sentinel://host:port,host:port/NAME (rediss for TLS)',
    parseRedisUrl,
    withoutLogin,
  ),
  redisKeyPrefix: setting(
    'both',
    'REDIS_KEY_PREFIX',
    '',
    'What the names of all keys and channels in Redis begin with, before a `:`. Deployments that share a Redis, each for an Armada of its own, need a prefix each; both processes of a deployment have the same. Another prefix is another, empty store',
    'empty, or at most 32 letters, digits, dots, underscores and hyphens, beginning with a letter or a digit, and not ajs, which names begin with where there is no prefix',
    (text) => (isKeyPrefix(text) ? text : undefined),
  ),
  redisTlsCaFile: optionalFile(
    'both',
    'REDIS_TLS_CA_FILE',
    'CA certificates (PEM) that verify the certificate of Redis. Replaces the CA certificates of the system',
  ),
  redisTlsCertFile: optionalFile(
    'both',
    'REDIS_TLS_CERT_FILE',
    'Client certificate (PEM) to present to Redis and its sentinels. The TLS files are read again for each connection',
  ),
  redisTlsKeyFile: optionalFile('both', 'REDIS_TLS_KEY_FILE', 'Key (PEM) of the client certificate'),
  redisTlsServerName: setting(
    'both',
    'REDIS_TLS_SERVER_NAME',
    '',
    'Name expected in the certificates of all Redis servers, if they are not reached by it: a cluster or Sentinel may report addresses',
    'a host name',
    (text) => (/^[A-Za-z0-9._-]*$/.test(text) ? text : undefined),
  ),
  redisSentinelUsername: setting(
    'both',
    'REDIS_SENTINEL_USERNAME',
    '',
    'User of the sentinels, if it is not `default`. `REDIS_URL` has that of the servers',
    'a user name without spaces',
    (text) => (/^\S*$/.test(text) ? text : undefined),
  ),
  redisSentinelPassword: secret(
    'both',
    'REDIS_SENTINEL_PASSWORD',
    'Password of the sentinels, if they require one',
    'a password',
    0,
  ),
  queryGrpcAddress: listenAddress('query', 'QUERY_GRPC_ADDRESS', '0.0.0.0:60003', 'Listen address of gRPC'),
  queryHttpAddress: listenAddress(
    'query',
    'QUERY_HTTP_ADDRESS',
    '0.0.0.0:8090',
    'Listen address of HTTP: the REST API, and health and metrics unless they have an address of their own',
  ),
  queryHealthAddress: optionalListenAddress(
    'query',
    'QUERY_HEALTH_ADDRESS',
    'Listen address of `/healthz`, `/readyz` and `/metrics` on a port of their own, without TLS, which callers of the API cannot fill. The HTTP port answers 404 for them then. Empty: they are on the HTTP port',
  ),
  queryAllowedHosts: setting(
    'query',
    'QUERY_ALLOWED_HOSTS',
    '',
    'Names by which the REST API may be requested (`Host`), besides `localhost` and IP addresses. Requests by other names are rejected, so that a web page cannot read by DNS rebinding. Empty: every name is allowed, or none where callers may be anonymous by `AUTH_MODE`',
    'host names without ports, separated by commas, or *',
    parseHostNames,
  ),
  queryTlsCertFile: optionalFile(
    'query',
    'QUERY_TLS_CERT_FILE',
    'Server certificate (PEM, with its intermediates). Enables TLS for gRPC and HTTP. Changed files are picked up within 10 s',
  ),
  queryTlsKeyFile: optionalFile('query', 'QUERY_TLS_KEY_FILE', 'Key (PEM) of the server certificate'),
  queryTlsClientCaFile: optionalFile(
    'query',
    'QUERY_TLS_CLIENT_CA_FILE',
    'CA certificates (PEM) that verify client certificates. Enables mutual TLS: a client without a certificate reaches only `/healthz` and `/readyz`',
  ),
  queryMaxConnections: count(
    'query',
    'QUERY_MAX_CONNECTIONS',
    '10000',
    'Maximum number of open gRPC connections, and of open HTTP connections. Connections above the limit are closed on arrival, and those of one address (a proxy, too) above three quarters of it. A connection takes 10 to 20 KiB, with TLS 50 KiB',
    1,
    1_000_000,
  ),
  queryMaxConnectionAgeMs: duration(
    'query',
    'QUERY_MAX_CONNECTION_AGE',
    '30m',
    'Age at which a gRPC connection is closed gracefully, so that clients spread over new replicas. Running calls have 5 more minutes',
    1_000,
    '20d',
  ),
  ingesterHttpAddress: listenAddress(
    'ingester',
    'INGESTER_HTTP_ADDRESS',
    '0.0.0.0:8091',
    'Listen address of HTTP: health and metrics',
  ),
  authMode: setting(
    'query',
    'AUTH_MODE',
    'delegated',
    'Who may read. `delegated`: callers whom Armada allows to watch the queue; `local`: callers whom the section `auth` of the file allows; `anonymous`: everyone may read everything',
    'anonymous, delegated or local',
    oneOf('anonymous', 'delegated', 'local'),
  ),
  authVerdictTtlMs: duration(
    'query',
    'AUTH_VERDICT_TTL',
    '60s',
    'How long a granted permission is cached. Never longer than the `exp` of the caller’s token',
    1_000,
    '20d',
  ),
  authRefusalTtlMs: duration(
    'query',
    'AUTH_REFUSAL_TTL',
    '5s',
    'How long a denied permission is cached',
    100,
  ),
  authCacheSecret: secret(
    'query',
    'AUTH_CACHE_SECRET',
    'Secret that all replicas share. With it, they share cached permissions through Redis; without it, each replica keeps its own',
    'at least 32 characters',
    32,
  ),
  jobsApiPermission: setting(
    'query',
    'JOBS_API_PERMISSION',
    'watch',
    'Permission that `api.Jobs` requires: `watch`, the right to watch the queues of the requested jobs, or `authenticated`, which is all that Armada itself requires there',
    'watch or authenticated',
    oneOf('watch', 'authenticated'),
  ),
  maxConcurrentCalls: count(
    'query',
    'MAX_CONCURRENT_CALLS',
    '1000',
    'Maximum number of calls that one replica processes at the same time. Calls above the limit are rejected immediately (load shedding), and those of one caller above its fair share, which is three quarters for a lone one',
    1,
    1_000_000,
  ),
  maxWaitingCalls: count(
    'query',
    'MAX_WAITING_CALLS',
    '10000',
    'Maximum number of calls that wait, in addition to those processed: for a permission check, the first read of a job set, Redis, or Armada. One caller gets its fair share of them',
    1,
    1_000_000,
  ),
  maxWaitMs: duration(
    'query',
    'MAX_WAIT',
    '10m',
    'Maximum time that one `WaitForJobs` call waits; a longer `max_wait` counts as this',
    1_000,
    '1d',
  ),
  maxOpenWaits: count(
    'query',
    'MAX_OPEN_WAITS',
    '20000',
    'Maximum number of `WaitForJobs` calls that wait on one replica. Further ones return RESOURCE_EXHAUSTED, as those of one caller above its fair share. Each takes about 16 KiB',
    1,
    1_000_000,
  ),
  maxOpenWatches: count(
    'query',
    'MAX_OPEN_WATCHES',
    '2000',
    'Maximum number of `WatchJobs` and `WatchJobSet` streams that one replica keeps open. Further ones return RESOURCE_EXHAUSTED, as those of one caller above its fair share',
    1,
    100_000,
  ),
  maxAwaitedJobs: count(
    'query',
    'MAX_AWAITED_JOBS',
    '200000',
    'Maximum number of jobs that the open `WaitForJobs` and `WatchJobs` calls of one replica name together. Further calls return RESOURCE_EXHAUSTED, as those of one caller above its fair share',
    1_000,
    10_000_000,
  ),
  maxBufferedBytes: count(
    'query',
    'MAX_BUFFERED_BYTES',
    '268435456',
    'Memory for the messages of all calls of one replica, in bytes: requests until they are answered, decompressed ones included, and responses until their callers have read them. Each open gRPC call takes 16 KiB of it. Calls beyond it, or beyond the share of one caller, return RESOURCE_EXHAUSTED; `GetJobStatus` of the legacy API returns CONNECTION_ERR',
    16_777_216,
    17_179_869_184,
  ),
  maxJobSets: count(
    'query',
    'MAX_JOB_SETS',
    '100000',
    'Approximate maximum number of job sets with interest, across all replicas. Further job sets are not followed',
    1,
    10_000_000,
  ),
  maxNewJobSetsPerCaller: count(
    'query',
    'MAX_NEW_JOB_SETS_PER_CALLER',
    '20000',
    'Maximum number of job sets without interest that one caller may poll on one replica within 10 minutes. A caller is a verified credential, else the name in its client certificate, else its address',
    1,
    10_000_000,
  ),
  logLevel: setting(
    'both',
    'LOG_LEVEL',
    'info',
    'Lowest level that is logged',
    'trace, debug, info, warn, error, fatal or silent',
    oneOf('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'),
  ),
  firstPollWaitMs: duration(
    'query',
    'FIRST_POLL_WAIT',
    '2s',
    'How long a poll of an unknown job waits for the job set to be read, within the deadline of the call',
    0,
  ),
  notFoundGraceMs: duration(
    'query',
    'NOT_FOUND_GRACE',
    '30s',
    'How long after its submission an unknown job is reported as not synced yet (CONNECTION_ERR), and not as JOB_ID_NOT_FOUND: Armada publishes the events of a job some time after it has accepted it. The time of the submission is that in the job id',
    0,
  ),
  maxJobIds: count(
    'query',
    'MAX_JOB_IDS',
    '1000',
    'Maximum number of job ids in one call of `api.Jobs`',
    1,
    10_000,
  ),
  redisRetryTimeoutMs: duration(
    'query',
    'REDIS_RETRY_TIMEOUT',
    '10s',
    'How long a call of `api.Jobs` retries while Redis is unavailable, before it is sent to Armada',
    0,
  ),
  provisionalJobGraceMs: duration(
    'query',
    'PROVISIONAL_JOB_GRACE',
    '30s',
    'How long a provisional job (known from a submission, for example) may be missing from its event stream before the state in Armada’s `api.Jobs` decides',
  ),
  followAfterPollMs: duration(
    'ingester',
    'FOLLOW_AFTER_POLL',
    '10m',
    'How long a job set is followed after its last poll',
  ),
  followUnfinishedAfterPollMs: duration(
    'ingester',
    'FOLLOW_UNFINISHED_AFTER_POLL',
    '60m',
    'How long a job set with unfinished jobs is followed after its last poll',
  ),
  deleteAfterPollMs: duration(
    'both',
    'DELETE_AFTER_POLL',
    '24h',
    'How long after its last poll a job set is deleted from Redis. Must be the same for all replicas',
  ),
  reconcileUnfinishedAfterMs: duration(
    'ingester',
    'RECONCILE_UNFINISHED_AFTER',
    '6h',
    'Reconcile an unfinished job with Armada’s `api.Jobs` once its state has not changed for this long',
  ),
  eventRetentionMs: duration(
    'ingester',
    'EVENT_RETENTION',
    '14d',
    'How long Armada keeps events. After a longer pause, all unfinished jobs of a job set are reconciled',
  ),
  rebalanceIntervalMs: duration(
    'ingester',
    'REBALANCE_INTERVAL',
    '10s',
    'How often the owner of a job set checks whether to keep it, hand it over to another replica, or stop following it',
    1_000,
    '1h',
  ),
  watchBudget: count(
    'ingester',
    'WATCH_BUDGET',
    '500',
    'Maximum number of watches open at Armada, across all replicas. Further job sets are read on a schedule. Armada supports about 1000 watches in total, forwarded ones included. Must be the same for all replicas',
    0,
    10_000,
  ),
  upstreamReadsPerSecond: count(
    'ingester',
    'UPSTREAM_READS_PER_SECOND',
    '200',
    'Maximum rate of event stream reads at Armada, across all replicas, averaged over ten seconds. Must be the same for all replicas',
    1,
    10_000,
  ),
  minReadIntervalMs: duration(
    'ingester',
    'MIN_READ_INTERVAL',
    '2s',
    'Shortest interval between scheduled reads of a job set without a watch. Applies to job sets with recent polls or events; a poll of a missing job triggers an earlier read',
    200,
    '1h',
  ),
  maxReadIntervalMs: duration(
    'ingester',
    'MAX_READ_INTERVAL',
    '60s',
    'Longest interval between scheduled reads of a job set without a watch. Applies to quiet job sets; `UPSTREAM_READS_PER_SECOND` may extend it',
    200,
    '1d',
  ),
  maxMessageBytes: count(
    'both',
    'MAX_MESSAGE_BYTES',
    '16777216',
    'Largest message accepted from Armada, in bytes. A larger event, up to 64 MiB, is read after three tries',
    65_536,
    1_073_741_824,
  ),
  upstreamCallsPerSecond: count(
    'both',
    'UPSTREAM_CALLS_PER_SECOND',
    '20',
    'Maximum rate at which one replica calls Armada’s own `api.Jobs`. One call requests up to 500 jobs',
    1,
    1_000,
  ),
  passThrough: setting(
    'query',
    'PASS_THROUGH',
    'off',
    'Whether methods of Armada that this service does not implement are forwarded to Armada, with the caller’s own credentials',
    'on or off',
    (text) => (text === 'on' || text === 'off' ? text === 'on' : undefined),
  ),
  forwardedServices: setting(
    'query',
    'FORWARDED_SERVICES',
    'api.Submit,api.QueueService,api.Event,api.RetryPolicyService,api.Executor,api.Node,schedulerobjects.SchedulerReporting',
    'Services whose methods are forwarded. Methods of other services return UNIMPLEMENTED',
    `full names of gRPC services separated by commas, none of which is implemented here (${IMPLEMENTED_SERVICES.join(', ')})`,
    parseServices,
  ),
  maxForwardedWatches: count(
    'query',
    'MAX_FORWARDED_WATCHES',
    '50',
    'Maximum number of forwarded watches that one replica keeps open. Further ones return RESOURCE_EXHAUSTED, as those of one caller above its fair share. Armada supports about 1000 watches in total, `WATCH_BUDGET` included',
    0,
    10_000,
  ),
  maxForwardedCalls: count(
    'query',
    'MAX_FORWARDED_CALLS',
    '500',
    'Maximum number of other forwarded calls that one replica keeps open at Armada. Further ones return RESOURCE_EXHAUSTED, as those of one caller above its fair share',
    1,
    100_000,
  ),
  maxForwardedRequestBytes: count(
    'query',
    'MAX_FORWARDED_REQUEST_BYTES',
    '16777216',
    'Largest request of a forwarded method, in bytes. `MAX_MESSAGE_BYTES` limits the responses',
    65_536,
    1_073_741_824,
  ),
  terminalCacheJobs: count(
    'query',
    'TERMINAL_CACHE_JOBS',
    '100000',
    'Number of terminal jobs that one replica caches in memory for each of its APIs, at about 500 bytes each, for `jobservice.v2` at 1 KiB',
    1,
    10_000_000,
  ),
} satisfies Record<string, Setting<unknown>>;

type Table = typeof SETTINGS;

/** A part of the file with a structure of its own, as parsed: every scalar is text. Its reader checks it. */
export interface Section {
  readonly content: unknown;
  readonly file: string;
}

/**
 * Sections that the file may have; they have no variable. `armadaAuth`: the credentials for Armada, as in a context of `armadactl`.
 * `auth`: callers and their permissions (AUTH_MODE=local).
 */
export const SECTIONS = ['armadaAuth', 'auth'] as const;

export type Sections = { readonly [K in (typeof SECTIONS)[number]]?: Section };

/** The settings that have a variable. Durations are milliseconds where the name ends with Ms. */
export type Variables = { readonly [K in keyof Table]: z.output<Table[K]['schema']> };

/** The validated settings of both processes. */
export type Settings = Variables & Sections;

/** Every setting in the order of the table. */
export function settingsList(): readonly Setting<unknown>[] {
  return Object.values(SETTINGS);
}
