import { randomBytes } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { Cursor, RedisTime, msBetween, type JobSetKey, type JobId } from '@ajs/job-state';
import { monotonicNow } from '@ajs/platform';
import { Generation } from '@ajs/redis-keys';
import type { RedisClient } from '../client/redis-client.js';
import { RedisClock } from '../client/redis-clock.js';
import { LAYOUT } from '../codec/record-layout.js';
import { NewerLayoutError } from '../errors.js';
import type { JobSetWriter, JobSink } from '../ports.js';
import { withScripts } from '../scripts/scripts.js';
import { JobIndex } from './job-index.js';
import { RecordCache } from './record-cache.js';
import { RedisJobSetWriter, type LastWrite, type WriterContext } from './redis-job-set-writer.js';

/** Records of all job sets together that writers keep in memory, so that the next batch need not read them. */
const RECORDS_CACHED = 50_000;
/** Job sets whose last write is kept in mind, as many as a replica may well own. */
const LAST_WRITES = 20_000;

export interface RedisSinkOptions {
  /** The net under every key: what nobody renews goes after this time, even if all replicas die. */
  readonly ttlSeconds: number;
  /** The name of this replica that readers of a job set see. Left out: they see none. */
  readonly owner?: string;
  /** Called when a job set is begun anew because some of its keys were gone (evicted, or lost by Redis). */
  readonly onLost: (key: JobSetKey, keysLost: number) => void;
  /** Called when a batch would have replaced terminal records by another state: they were kept (P1), and the fold has a defect. */
  readonly onKept: (key: JobSetKey, jobs: number) => void;
  /** Called when {@link JobSetWriter.load} leaves out a job whose record this version cannot read. */
  readonly onUnreadable: (key: JobSetKey, jobId: JobId, reason: string) => void;
}

/** The sink over Redis 7.0 or later, single or Cluster. */
export class RedisJobSink implements JobSink {
  private readonly context: WriterContext;
  private readonly lastWrites = new LRUCache<string, LastWrite>({ max: LAST_WRITES });

  constructor(
    redis: RedisClient,
    private readonly options: RedisSinkOptions,
  ) {
    this.context = {
      redis: withScripts(redis),
      index: new JobIndex(redis),
      records: new RecordCache(RECORDS_CACHED),
      ttlSeconds: options.ttlSeconds,
      onKept: options.onKept,
      onUnreadable: options.onUnreadable,
    };
  }

  async open(key: JobSetKey): Promise<JobSetWriter> {
    const { redis, ttlSeconds } = this.context;
    const meta = redis.ownKeys.metaKey(key);
    const before = this.lastWrites.get(meta);
    const sentAt = monotonicNow();
    const reply = await redis.openJobSetBuffer(
      meta,
      randomBytes(8).toString('base64url'),
      ttlSeconds,
      this.options.owner ?? '',
      before?.generation ?? '',
      before?.revision ?? 0,
    );
    if (reply[1] === null) throw new NewerLayoutError(key, reply[2], LAYOUT);
    const [now, generation, cursor, revision, unfinished, reconciled, lost, strings, rate, ratedAt] = reply;
    if (lost > 0) this.options.onLost(key, lost);
    const lastWrite = { generation: Generation(generation.toString()), revision: Number(revision) };
    this.lastWrites.set(meta, lastWrite);
    return new RedisJobSetWriter(this.context, key, meta, {
      clock: new RedisClock(now, sentAt),
      lastWrite,
      cursor: Cursor(cursor.toString()),
      unfinished,
      reconciledAgoMs: reconciled === null ? undefined : msBetween(RedisTime(Number(reconciled)), now),
      storedRate:
        rate === null
          ? undefined
          : { eventsPerMinute: Number(rate), agoMs: msBetween(RedisTime(Number(ratedAt)), now) },
      strings: pairsOf(strings),
    });
  }
}

function pairsOf(strings: readonly Buffer[]): [number: number, text: string][] {
  const pairs: [number, string][] = [];
  for (let i = 0; i + 1 < strings.length; i += 2) pairs.push([Number(strings[i]), String(strings[i + 1])]);
  return pairs;
}
