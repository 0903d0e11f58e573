import type { RedisClient } from '@ajs/job-store';
import type { RedisKeys } from '@ajs/redis-keys';
import { Cluster, type Redis } from 'ioredis';

/** What a user of Redis is for: a query reads job states, an ingester writes them. */
export type RedisUser = 'reader' | 'writer';

/** A rule of Redis' ACL, such as `+@hash`, and commands that show whether it was granted. */
type Rules = Readonly<Record<string, readonly string[]>>;

const PROBE_TTL_MS = 10_000;
/** A Redis that does not answer in this time is asked again later. */
const TRY_MS = 5_000;

/**
 * What both processes need, for their own scripts and BullMQ's. KEY holds a string while these are tried: most of them fail by its type,
 * and change nothing. Rights that are not for data are single commands, since their categories hold dangerous ones.
 */
const COMMON: Rules = {
  '+@string': ['INCR KEY'],
  '+@hash': ['HSET KEY f v', 'HGET KEY f', 'HMGET KEY f', 'HGETALL KEY', 'HDEL KEY f', 'HINCRBY KEY f 1'],
  '+@list': ['LPUSH KEY v', 'LRANGE KEY 0 0', 'LREM KEY 0 v', 'LLEN KEY', 'RPOPLPUSH KEY KEY'],
  '+@set': ['SADD KEY v', 'SREM KEY v', 'SMEMBERS KEY'],
  '+@sortedset': ['ZADD KEY 0 v', 'ZREM KEY v', 'ZRANGE KEY 0 0', 'ZSCORE KEY v', 'BZPOPMIN KEY 0.01'],
  '+@stream': ['XADD KEY * f v', 'XTRIM KEY MAXLEN 1'],
  '+exists': ['EXISTS KEY'],
  '+expire': ['EXPIRE KEY 10'],
  '+pexpire': [`PEXPIRE KEY ${PROBE_TTL_MS}`],
  '+pttl': ['PTTL KEY'],
  '+persist': ['PERSIST KEY'],
  '+eval': ['EVAL return 0'],
  '+evalsha': [`EVALSHA ${'0'.repeat(40)} 0`],
  '+time': ['TIME'],
  '+info': ['INFO server'],
  '+client|setname': ['CLIENT SETNAME armada-job-service-rights'],
  '+del': ['DEL KEY'],
  '+unlink': ['UNLINK KEY'],
};

const OF_CLUSTER: Rules = { '+cluster|slots': ['CLUSTER SLOTS'], '+cluster|info': ['CLUSTER INFO'] };
const OF_DATABASE: Rules = { '+select': ['SELECT 0'] };

/** What of a deployment's own names is tried. */
interface Tried {
  /** Each pattern of keys, and the key of it that is used to try; the first is that of nearly all keys. */
  readonly keys: ReadonlyMap<string, string>;
  /** Each pattern of channels that the process uses, and the channel of it that is used to try. */
  readonly channels: ReadonlyMap<string, string>;
  /** What the process needs beside; tried last, since a connection that has subscribed can do little else. */
  readonly rules: Rules;
}

function triedFor(user: RedisUser, names: RedisKeys): Tried {
  const { readRequestsChannel, ownerChannels, changesChannels, workQueuePrefix } = names;
  const ownerChannel = names.ownerChannel('rights');
  const keys = new Map([
    [`~${names.keyPattern}`, names.format({ kind: 'probe', shard: 0 })],
    [`~${workQueuePrefix}:*`, `${workQueuePrefix}:probe`],
  ]);
  const channels = [
    [`&${readRequestsChannel}`, readRequestsChannel],
    [`&${changesChannels}`, changesChannels],
  ] as const;
  if (user === 'reader') {
    return {
      keys,
      channels: new Map(channels),
      rules: {
        '+publish': [`PUBLISH ${readRequestsChannel} `],
        '+spublish': [`SPUBLISH ${changesChannels} `],
        '+ssubscribe': [`SSUBSCRIBE ${changesChannels}`],
        '+sunsubscribe': [`SUNSUBSCRIBE ${changesChannels}`],
      },
    };
  }
  return {
    keys,
    channels: new Map([...channels, [`&${ownerChannels}*`, ownerChannel]]),
    rules: {
      '+spublish': [`SPUBLISH ${changesChannels} `],
      '+pubsub|channels': [`PUBSUB CHANNELS ${ownerChannels}*`],
      '+subscribe': [`SUBSCRIBE ${readRequestsChannel}`, `SUBSCRIBE ${ownerChannel}`],
    },
  };
}

/** Every rule that a user needs somewhere: with a single server, with Redis Cluster, and with a database of its own. */
export function allRights(user: RedisUser, names: RedisKeys): string[] {
  const { keys, channels, rules } = triedFor(user, names);
  const commands = Object.keys({ ...COMMON, ...OF_CLUSTER, ...OF_DATABASE, ...rules });
  return [...keys.keys(), ...channels.keys(), ...commands];
}

/**
 * The rules that the user of a client lacks, as `ACL SETUSER` takes them, by trying each on a connection of its own; a command that a
 * provider blocks or has renamed counts as one that may not be run. Rejects where Redis cannot be asked.
 */
export async function missingRights(client: RedisClient, user: RedisUser): Promise<string[]> {
  const nodes = client instanceof Cluster ? client.nodes('master') : [client];
  if (nodes.length === 0) throw new Error('no master of the cluster is known');
  const tried = triedFor(user, client.ownKeys);
  const rules = {
    ...COMMON,
    ...(client instanceof Cluster && OF_CLUSTER),
    ...(nodes.some(({ options }) => (options.db ?? 0) > 0) && OF_DATABASE),
    ...tried.rules,
  };
  const missing = await Promise.all(nodes.map((node) => missingAt(node, { ...tried, rules })));
  return [...new Set(missing.flat())];
}

async function missingAt(node: Redis, { keys, channels, rules }: Tried): Promise<string[]> {
  const connection = node.duplicate({
    retryStrategy: null,
    enableOfflineQueue: true,
    enableAutoPipelining: false,
    // It would ask for INFO, and complain of its denial in its own way.
    enableReadyCheck: false,
    reconnectOnError: null,
    commandTimeout: TRY_MS,
  });
  connection.on('error', () => undefined);
  const missing = new Set<string>();
  const attempt = async (rule: string, command: string, pattern: string, key: string): Promise<void> => {
    const [name = '', ...args] = command.split(' ').map((word) => (word === 'KEY' ? key : word));
    const denied = await deniedOf(connection.call(name, ...args));
    if (denied === 'command') missing.add(rule);
    if (denied === 'key') missing.add(pattern);
    if (denied === 'channel') {
      for (const [ofChannel, channel] of channels) if (args.includes(channel)) missing.add(ofChannel);
    }
  };
  try {
    const attempts = Array.from(keys, ([pattern, key]) => [
      attempt('+@string', `SET KEY v PX ${PROBE_TTL_MS}`, pattern, key),
      attempt('+@string', 'GET KEY', pattern, key),
    ]).flat();
    const [[pattern = '', key = ''] = []] = keys;
    for (const [rule, commands] of Object.entries(rules)) {
      attempts.push(...commands.map((command) => attempt(rule, command, pattern, key)));
    }
    await Promise.all(attempts);
  } finally {
    connection.disconnect();
  }
  return [...missing];
}

/** What a command was denied for, if it was. Any other error of Redis says that it was not. */
async function deniedOf(reply: Promise<unknown>): Promise<'command' | 'key' | 'channel' | undefined> {
  try {
    await reply;
    return undefined;
  } catch (error) {
    const { name, message } = error as Error;
    if (name !== 'ReplyError' || message.startsWith('NOAUTH')) throw error;
    if (/^ERR unknown (?:sub)?command/i.test(message)) return 'command';
    if (!message.startsWith('NOPERM')) return undefined;
    if (message.includes(' to run ')) return 'command';
    return message.includes('channel') ? 'channel' : 'key';
  }
}
