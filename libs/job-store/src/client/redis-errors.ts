/**
 * Why a call to Redis rejected.
 * - `unavailable`: Redis could not be reached, did not answer in time, or cannot serve the call now (loading, failing over, moving a
 *   slot, running a long script). Heals by itself; the outcome of a write is unknown.
 * - `write-refused`: Redis answers reads, but refuses writes: see {@link WriteRefusal}. Heals after a failover, or when somebody acts.
 * - `denied`: Redis refuses our login, or our user may not run the command. Trying again changes nothing.
 * - `unexpected`: anything else: a defect of ours (a script error, a key of the wrong type), or an error that is not Redis' at
 *   all. Trying again changes nothing.
 */
export type RedisErrorKind = 'unavailable' | 'write-refused' | 'denied' | 'unexpected';

/**
 * Why Redis refuses writes.
 * - `out-of-memory`: it has reached `maxmemory`, and evicts nothing.
 * - `not-persisting`: it cannot save its data to disk.
 * - `too-few-replicas`: fewer replicas follow it than `min-replicas-to-write`.
 * - `read-only`: it is a replica.
 */
export type WriteRefusal = 'out-of-memory' | 'not-persisting' | 'too-few-replicas' | 'read-only';

const REFUSAL_OF_CODE: Readonly<Record<string, WriteRefusal>> = {
  OOM: 'out-of-memory',
  MISCONF: 'not-persisting',
  NOREPLICAS: 'too-few-replicas',
  READONLY: 'read-only',
};

/** The error codes with which replies of Redis and Valkey begin, beside those of refused writes. */
const KIND_OF_CODE: Readonly<Record<string, RedisErrorKind>> = {
  LOADING: 'unavailable',
  MASTERDOWN: 'unavailable',
  BUSY: 'unavailable',
  CLUSTERDOWN: 'unavailable',
  TRYAGAIN: 'unavailable',
  MOVED: 'unavailable',
  ASK: 'unavailable',
  NOPERM: 'denied',
  NOAUTH: 'denied',
  WRONGPASS: 'denied',
};

/**
 * A script's error carries the code of the command that failed in it; older servers put `-CODE` behind words of their own, and the client
 * what the last sentinel said.
 */
const CODE = new RegExp(
  `^(?:.*[ :]-|All sentinels .* Last error: )?(${Object.keys({ ...KIND_OF_CODE, ...REFUSAL_OF_CODE }).join('|')}) `,
);
/** The one refusal that loses its code in a script: as Redis 7.0 says it, and later servers. */
const DENIED_IN_SCRIPT = /^ERR (?:The user executing the script can't|ACL failure in script)/;

/** What ioredis and its connectors reject with where no reply came. */
const NO_REPLY = new RegExp(
  [
    '^Connection is closed',
    "^Stream isn't writeable",
    "^Cluster isn't ready",
    '^Cluster is disconnect',
    '^Node is disconnected',
    '^None of startup nodes is available',
    '^no node of Redis Cluster can be used',
    '^All sentinels are unreachable',
    '^Command timed out',
    '^Command aborted due to connection close',
    '^Socket timeout',
    '^connect ETIMEDOUT',
    '^timeout$',
    '^Too many Cluster redirections',
    'max number of clients reached',
  ].join('|'),
);
const NO_REPLY_NAMES: ReadonlySet<string> = new Set(['MaxRetriesPerRequestError', 'ClusterAllFailedError']);

/** Codes of Node's errors for sockets and for the look-up of names. */
const SOCKET_CODES: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'EHOSTDOWN',
  'ENETUNREACH',
  'ENETDOWN',
  'ENOTFOUND',
  'EAI_AGAIN',
]);

/** Says why a call to Redis rejected. Takes anything that was thrown; what it does not know is `unexpected`. */
export function redisErrorKind(error: unknown): RedisErrorKind {
  if (!(error instanceof Error)) return 'unexpected';
  const code = CODE.exec(error.message)?.[1];
  if (code !== undefined) return KIND_OF_CODE[code] ?? 'write-refused';
  if (DENIED_IN_SCRIPT.test(error.message)) return 'denied';
  // Why no node of a cluster could serve is the better answer, where it is known.
  const { lastNodeError, code: socketCode } = error as { lastNodeError?: unknown; code?: unknown };
  for (const inner of [lastNodeError, error.cause]) {
    const kind = redisErrorKind(inner);
    if (kind !== 'unexpected') return kind;
  }
  const noReply =
    NO_REPLY.test(error.message) ||
    NO_REPLY_NAMES.has(error.name) ||
    (typeof socketCode === 'string' && SOCKET_CODES.has(socketCode));
  return noReply ? 'unavailable' : 'unexpected';
}

/** Why Redis refused to write; `undefined` for any other error. */
export function writeRefusalOf({ message }: Error): WriteRefusal | undefined {
  return REFUSAL_OF_CODE[CODE.exec(message)?.[1] ?? ''];
}
