import { z } from 'zod';
import {
  ANSWERED_SERVICES,
  parseCount,
  parseDuration,
  parseHostPort,
  parseRedisUrl,
  parseServices,
  withoutLogin,
} from './parsers.js';

/** One setting: an environment variable, and the same name in camelCase in the file. */
interface Setting<T> {
  readonly env: string;
  /** As a user would write it. */
  readonly default: string;
  readonly about: string;
  /** What is allowed, for people: "… must be ALLOWED". */
  readonly allowed: string;
  readonly schema: z.ZodType<T, string>;
  /** How the value is shown in an error; needed where it may hold a secret. */
  readonly show?: (text: string) => string;
}

function setting<T>(
  env: string,
  defaultText: string,
  about: string,
  allowed: string,
  parse: (text: string) => T | undefined,
  show?: (text: string) => string,
): Setting<T> {
  const schema = z.string().transform((text, context): T => {
    const value = parse(text.trim());
    if (value !== undefined) return value;
    context.addIssue({ code: 'custom', message: allowed });
    return z.NEVER;
  });
  return { env, default: defaultText, about, allowed, schema, ...(show !== undefined && { show }) };
}

const oneOf =
  <T extends string>(...values: T[]) =>
  (text: string): T | undefined =>
    values.find((value) => value === text);

const listenAddress = (env: string, defaultText: string, about: string) =>
  setting(env, defaultText, about, 'host:port, with a port from 0 (any free one) to 65535', (text) =>
    parseHostPort(text, 0),
  );

const duration = (env: string, defaultText: string, about: string, leastMs = 1_000, most = '365d') =>
  setting(
    env,
    defaultText,
    about,
    `a time with its unit, such as ${defaultText} (ms, s, m, h or d), of at least ${leastMs} ms and at most ${most}`,
    (text) => parseDuration(text, leastMs, most),
  );

/** The name of a file, or nothing at all. */
const optionalFile = (env: string, about: string) =>
  setting(env, '', about, 'the name of a file', (text) => text);

const count = (env: string, defaultText: string, about: string, least: number, most: number) =>
  setting(env, defaultText, about, `a whole number from ${least} to ${most}`, (text) =>
    parseCount(text, least, most),
  );

const onOff = (env: string, defaultText: 'on' | 'off', about: string) =>
  setting(env, defaultText, about, 'on or off', (text) =>
    text === 'on' || text === 'off' ? text === 'on' : undefined,
  );

/** Every setting there is, for both applications: one file can serve both. */
export const SETTINGS = {
  armadaAddress: setting(
    'ARMADA_URL',
    'localhost:50051',
    "Armada's gRPC address",
    'host:port, without a scheme',
    (text) => parseHostPort(text, 1),
    withoutLogin,
  ),
  armadactlConfig: optionalFile(
    'ARMADACTL_CONFIG',
    'a configuration file of `armadactl`, whose current context says where Armada is and who we are there',
  ),
  armadaForceNoTls: setting(
    'ARMADA_FORCE_NO_TLS',
    'false',
    'reach Armada without TLS; by itself that is done for `localhost` and loopback addresses alone',
    'true or false',
    (text) => (text === 'true' || text === 'false' ? text === 'true' : undefined),
  ),
  armadaTlsCaFile: optionalFile(
    'ARMADA_TLS_CA_FILE',
    "certificates (PEM) that Armada's must come from, in place of the system's",
  ),
  armadaTlsCertFile: optionalFile('ARMADA_TLS_CERT_FILE', 'our certificate (PEM), where Armada asks for one'),
  armadaTlsKeyFile: optionalFile('ARMADA_TLS_KEY_FILE', 'its key (PEM)'),
  armadaTlsServerName: setting(
    'ARMADA_TLS_SERVER_NAME',
    '',
    "the name that stands in Armada's certificate, where it is not the host in its address",
    'a host name',
    (text) => (/^[A-Za-z0-9._-]*$/.test(text) ? text : undefined),
  ),
  redis: setting(
    'REDIS_URL',
    'redis://localhost:6379',
    'Redis 7.0 or later: one server, a cluster (`redis-cluster://a:6379,b:6379`), or Sentinel (`redis-sentinel://a:26379,b:26379/NAME`); `rediss` in place of `redis` is TLS, `user:password@` may stand before the hosts',
    'redis://host:port, redis-cluster://host:port,host:port, or redis-sentinel://host:port,host:port/NAME (rediss for TLS)',
    parseRedisUrl,
    withoutLogin,
  ),
  redisTlsCaFile: optionalFile(
    'REDIS_TLS_CA_FILE',
    "certificates (PEM) that Redis' must come from, in place of the system's",
  ),
  redisSentinelPassword: setting(
    'REDIS_SENTINEL_PASSWORD',
    '',
    'the password of the sentinels themselves, where they have one',
    'a password',
    (text) => text,
    () => '***',
  ),
  queryGrpcAddress: listenAddress('QUERY_GRPC_ADDRESS', '0.0.0.0:60003', 'query: where gRPC listens'),
  queryHttpAddress: listenAddress(
    'QUERY_HTTP_ADDRESS',
    '0.0.0.0:8090',
    'query: where HTTP listens (health, metrics)',
  ),
  queryTlsCertFile: optionalFile(
    'QUERY_TLS_CERT_FILE',
    'query: its certificate (PEM, with those in between): gRPC and HTTP are served with TLS. The files are looked at every 10 s',
  ),
  queryTlsKeyFile: optionalFile('QUERY_TLS_KEY_FILE', 'query: the key of its certificate (PEM)'),
  queryTlsClientCaFile: optionalFile(
    'QUERY_TLS_CLIENT_CA_FILE',
    'query: the certificates (PEM) that those of clients must come from; without one of these, clients get nothing but `/healthz` and `/readyz`',
  ),
  queryMaxConnections: count(
    'QUERY_MAX_CONNECTIONS',
    '10000',
    'query: how many connections gRPC has at once, at most, and HTTP as many again; more are closed as they come. Each takes 10 to 20 KiB, with TLS 50',
    1,
    1_000_000,
  ),
  queryMaxConnectionAgeMs: duration(
    'QUERY_MAX_CONNECTION_AGE',
    '30m',
    'query: how old a gRPC connection becomes before its client is asked to connect again, so that clients spread over new replicas; calls that run have 5 min more',
    1_000,
    '20d',
  ),
  ingesterHttpAddress: listenAddress(
    'INGESTER_HTTP_ADDRESS',
    '0.0.0.0:8091',
    'ingester: where HTTP listens (health, metrics)',
  ),
  authMode: setting(
    'AUTH_MODE',
    'delegated',
    'query: who may read. `delegated`: whom Armada lets watch the queue; `local`: whom section `auth` of the file lets; `anonymous`: everyone, everything',
    'anonymous, delegated or local',
    oneOf('anonymous', 'delegated', 'local'),
  ),
  authVerdictTtlMs: duration(
    'AUTH_VERDICT_TTL',
    '60s',
    'query: how long a caller’s right to watch a queue is believed before it is checked again; never past the `exp` of its token',
    1_000,
    '20d',
  ),
  authRefusalTtlMs: duration('AUTH_REFUSAL_TTL', '5s', 'query: the same where the caller was refused', 100),
  authCacheSecret: setting(
    'AUTH_CACHE_SECRET',
    '',
    'query: a secret that all replicas have; with it they share verdicts through Redis, without it each keeps its own',
    'at least 32 characters',
    (text) => (text === '' || text.length >= 32 ? text : undefined),
    () => '***',
  ),
  jobsApiPermission: setting(
    'JOBS_API_PERMISSION',
    'watch',
    'query: what `api.Jobs` asks of a caller: the right to `watch` the queues of its jobs, or to be `authenticated`, which is all that Armada asks there',
    'watch or authenticated',
    oneOf('watch', 'authenticated'),
  ),
  maxConcurrentCalls: count(
    'MAX_CONCURRENT_CALLS',
    '1000',
    'query: calls that one replica works on at once; more are answered at once that it is overloaded',
    1,
    1_000_000,
  ),
  maxWaitingCalls: count(
    'MAX_WAITING_CALLS',
    '10000',
    'query: beside them, calls that wait for what their caller may see to be found out, for a job set to be read for the first time, or for Redis',
    1,
    1_000_000,
  ),
  maxJobSets: count(
    'MAX_JOB_SETS',
    '100000',
    'query: job sets, about, that may be asked about at the same time, over all replicas; another one is not followed',
    1,
    10_000_000,
  ),
  maxNewJobSetsPerCaller: count(
    'MAX_NEW_JOB_SETS_PER_CALLER',
    '20000',
    'query: job sets that nobody asked about before which one caller (credential, or address: with `AUTH_MODE=anonymous` always that) may bring to one replica in 10 minutes',
    1,
    10_000_000,
  ),
  logLevel: setting(
    'LOG_LEVEL',
    'info',
    'how much is logged',
    'trace, debug, info, warn, error, fatal or silent',
    oneOf('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'),
  ),
  firstPollWaitMs: duration(
    'FIRST_POLL_WAIT',
    '2s',
    'query: how long a poll of a job that is not known waits for Armada to settle it, within the caller’s deadline',
    0,
  ),
  maxJobIds: count(
    'MAX_JOB_IDS',
    '1000',
    'query: how many job ids one call of `api.Jobs` may ask about',
    1,
    10_000,
  ),
  redisRetryTimeoutMs: duration(
    'REDIS_RETRY_TIMEOUT',
    '10s',
    'query: how long a call of `api.Jobs` is held while Redis is away, before Armada is asked instead',
    0,
  ),
  provisionalJobGraceMs: duration(
    'PROVISIONAL_JOB_GRACE',
    '30s',
    'query: how long a job that was learned (from a submit, say) may wait for its stream to show it, before Armada’s `api.Jobs` decides',
  ),
  followAfterPollMs: duration(
    'FOLLOW_AFTER_POLL',
    '10m',
    'how long after its last poll a job set is followed',
  ),
  followUnfinishedAfterPollMs: duration(
    'FOLLOW_UNFINISHED_AFTER_POLL',
    '60m',
    'the same while it has jobs that have not ended',
  ),
  deleteAfterPollMs: duration(
    'DELETE_AFTER_POLL',
    '24h',
    'how long after its last poll a job set is deleted from Redis',
  ),
  reconcileUnfinishedAfterMs: duration(
    'RECONCILE_UNFINISHED_AFTER',
    '6h',
    'ingester: how long ago a job that has not ended must have changed last before Armada’s `api.Jobs` is asked whether it has',
  ),
  eventRetentionMs: duration(
    'EVENT_RETENTION',
    '14d',
    'ingester: how long Armada keeps events; of a job set that resumes after a longer pause, all unfinished jobs are asked about',
  ),
  rebalanceIntervalMs: duration(
    'REBALANCE_INTERVAL',
    '10s',
    'ingester: how often a followed job set is looked at again: go on here, go elsewhere, or end',
    1_000,
    '1h',
  ),
  watchBudget: count(
    'WATCH_BUDGET',
    '500',
    'ingester: how many watches all replicas together have open at Armada, at most; job sets beyond it are read on a schedule. Armada bears about 1000 watches in all, forwarded ones included. The same for all replicas',
    0,
    10_000,
  ),
  upstreamReadsPerSecond: count(
    'UPSTREAM_READS_PER_SECOND',
    '200',
    'ingester: how many event streams all replicas together read at Armada in a second, at most, over ten seconds. The same for all replicas',
    1,
    10_000,
  ),
  minReadIntervalMs: duration(
    'MIN_READ_INTERVAL',
    '2s',
    'ingester: a job set without a watch is read again after so long at the soonest, when it was polled or brought events a moment ago; a poll of a job that is not there does not wait for it',
    200,
    '1h',
  ),
  maxReadIntervalMs: duration(
    'MAX_READ_INTERVAL',
    '60s',
    'ingester: and after so long at the latest, when it is quiet and `UPSTREAM_READS_PER_SECOND` allows',
    200,
    '1d',
  ),
  maxMessageBytes: count(
    'MAX_MESSAGE_BYTES',
    '16777216',
    'the largest message accepted from Armada',
    65_536,
    1_073_741_824,
  ),
  upstreamCallsPerSecond: count(
    'UPSTREAM_CALLS_PER_SECOND',
    '20',
    "how many calls of Armada's own `api.Jobs` one replica makes in a second, at most; one call asks for up to 500 jobs",
    1,
    1_000,
  ),
  passThrough: onOff(
    'PASS_THROUGH',
    'off',
    'query: whether methods of Armada that are not answered here are forwarded to it, with the caller’s own credentials',
  ),
  forwardedServices: setting(
    'FORWARDED_SERVICES',
    'api.Submit,api.QueueService,api.Event,api.RetryPolicyService,api.Executor,api.Node,schedulerobjects.SchedulerReporting',
    'query: the services whose methods are forwarded; those of others are UNIMPLEMENTED',
    `full names of gRPC services with commas between, none of which is answered here (${ANSWERED_SERVICES.join(', ')})`,
    parseServices,
  ),
  maxForwardedWatches: count(
    'MAX_FORWARDED_WATCHES',
    '50',
    'query: how many forwarded watches one replica has open at once, at most; more are RESOURCE_EXHAUSTED. Armada bears about 1000 watches in all, of which `WATCH_BUDGET` are for following',
    0,
    10_000,
  ),
  maxForwardedCalls: count(
    'MAX_FORWARDED_CALLS',
    '500',
    'query: beside them, how many other forwarded calls one replica has open at Armada at once, at most; more are RESOURCE_EXHAUSTED',
    1,
    100_000,
  ),
  maxForwardedRequestBytes: count(
    'MAX_FORWARDED_REQUEST_BYTES',
    '16777216',
    'query: the largest message accepted from a caller of a forwarded method; for its answers `MAX_MESSAGE_BYTES` counts',
    65_536,
    1_073_741_824,
  ),
  terminalCacheJobs: count(
    'TERMINAL_CACHE_JOBS',
    '100000',
    'query: how many ended jobs one replica answers from memory (about 300 bytes each)',
    1,
    10_000_000,
  ),
} satisfies Record<string, Setting<unknown>>;

type Table = typeof SETTINGS;

/** A part of the file with a shape of its own, as it stands there: every scalar is text. Who uses it checks it. */
export interface Section {
  readonly content: unknown;
  readonly file: string;
}

/**
 * Sections that the file may have; they have no variable. `armadaAuth`: who we are to Armada, as a context of `armadactl` says
 * it. `auth`: who callers are and what they may watch (AUTH_MODE=local).
 */
export const SECTIONS = ['armadaAuth', 'auth'] as const;

export type Sections = { readonly [K in (typeof SECTIONS)[number]]?: Section };

/** The settings that have a variable. Times are milliseconds where the name says Ms. */
export type Variables = { readonly [K in keyof Table]: z.output<Table[K]['schema']> };

/** The settings of both applications, checked. */
export type Settings = Variables & Sections;

/** The name of a setting in the file: its environment variable in camelCase. */
export function fileKeyOf({ env }: Pick<Setting<unknown>, 'env'>): string {
  return env.toLowerCase().replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());
}

/** Every setting in the order of the table. */
export function settingsList(): readonly Setting<unknown>[] {
  return Object.values(SETTINGS);
}
