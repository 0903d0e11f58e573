import { randomBytes } from 'node:crypto';
import { RedisTime, msBetween, toMs, type JobRecord, type JobSetKey } from '@ajs/job-state';
import { formatKey } from '@ajs/redis-keys';
import { LRUCache } from 'lru-cache';
import { CHANGES_KEPT, CHANGES_TTL_SECONDS } from './changes.js';
import { packJobId, packJobIds, unpackJobId } from '../codec/job-id-codec.js';
import { JobIndex } from './job-index.js';
import { StaleWriterError } from '../errors.js';
import type { Batch, JobSetWriter, JobSink } from '../ports.js';
import {
  decodeChangedAt,
  decodeFailureDetails,
  decodeRecord,
  encodeFailureDetails,
  encodeRecord,
  failureDetailsOf,
} from '../codec/record-codec.js';
import { readJobsReply } from '../codec/jobs-reply.js';
import { RedisClock } from '../client/redis-clock.js';
import { withScripts, type RedisClient, type ScriptArgument, type Scripts } from '../scripts/scripts.js';

/** About a thousand jobs: looked through by one script. */
const BUCKETS_AT_ONCE = 25;

/** Records of all job sets together that writers keep in memory, so that the next batch need not read them. */
const RECORDS_CACHED = 50_000;

export interface RedisSinkOptions {
  /** The net under every key: what nobody renews goes after this time, even if all replicas die. */
  readonly ttlSeconds: number;
  /** Told when a job set is begun anew because some of its keys were gone (evicted, or lost by Redis). */
  readonly onLost: (key: JobSetKey, keysLost: number) => void;
  /** Told when a batch would have replaced ended jobs by another state: they were kept (P1), and the fold has a defect. */
  readonly onKept: (key: JobSetKey, jobs: number) => void;
}

type Client = RedisClient & Scripts;

interface Shared {
  readonly redis: Client;
  readonly index: JobIndex;
  readonly records: LRUCache<string, JobRecord>;
  readonly options: RedisSinkOptions;
  /** How many times writers took a job set up: each time what was read before may be old. */
  takenUp: number;
}

/** The sink over Redis 7.0 or later, single or Cluster. */
export class RedisJobSink implements JobSink {
  private readonly shared: Shared;

  constructor(redis: RedisClient, options: RedisSinkOptions) {
    this.shared = {
      redis: withScripts(redis),
      index: new JobIndex(redis),
      records: new LRUCache({ max: RECORDS_CACHED }),
      options,
      takenUp: 0,
    };
  }

  async open(key: JobSetKey): Promise<JobSetWriter> {
    const { redis, index, options } = this.shared;
    const meta = formatKey({ kind: 'meta', jobSet: key });
    await index.name(key, options.ttlSeconds);
    const [now, generation, cursor, revision, unfinished, reconciled, lost, words] =
      await redis.openJobSetBuffer(meta, randomBytes(8).toString('base64url'), options.ttlSeconds);
    if (lost > 0) options.onLost(key, lost);
    return new RedisJobSetWriter(this.shared, key, meta, {
      clock: new RedisClock(now),
      generation: generation.toString(),
      cursor: cursor.toString(),
      revision: Number(revision),
      unfinished: Number(unfinished),
      reconciledAgoMs: reconciled === null ? undefined : msBetween(RedisTime(Number(reconciled)), now),
      words: words.filter((_, i) => i % 2 === 1).map(String),
      numbers: words.filter((_, i) => i % 2 === 0).map(Number),
    });
  }
}

interface Position {
  readonly clock: RedisClock;
  readonly generation: string;
  readonly cursor: string;
  readonly revision: number;
  readonly unfinished: number;
  readonly reconciledAgoMs: number | undefined;
  readonly words: readonly string[];
  readonly numbers: readonly number[];
}

class RedisJobSetWriter implements JobSetWriter {
  cursor: string;
  unfinished: number;
  readonly reconciledAgoMs?: number;
  private revision: number;
  private readonly clock: RedisClock;
  private readonly generation: string;
  private takenUp: number;
  private readonly words = new Map<number, string>();
  private readonly numbers = new Map<string, number>();

  constructor(
    private readonly shared: Shared,
    readonly key: JobSetKey,
    private readonly meta: string,
    position: Position,
  ) {
    this.takenUp = shared.takenUp++;
    this.clock = position.clock;
    this.generation = position.generation;
    this.cursor = position.cursor;
    this.revision = position.revision;
    this.unfinished = position.unfinished;
    if (position.reconciledAgoMs !== undefined) this.reconciledAgoMs = position.reconciledAgoMs;
    position.numbers.forEach((number, i) => this.learnWord(number, position.words[i] ?? ''));
  }

  async load(jobIds: Iterable<string>): Promise<ReadonlyMap<string, JobRecord>> {
    const found = new Map<string, JobRecord>();
    const missing: string[] = [];
    for (const jobId of new Set(jobIds)) {
      const cached = this.shared.records.get(this.cacheKey(jobId));
      if (cached === undefined) missing.push(jobId);
      else found.set(jobId, cached);
    }
    if (missing.length === 0) return found;
    const reply = readJobsReply(
      await this.shared.redis.readJobsBuffer(this.meta, packJobIds(missing)),
      missing.length,
    );
    if (reply.generation !== this.generation) throw new StaleWriterError(this.key);
    missing.forEach((jobId, i) => {
      const bytes = reply.records[i];
      if (bytes === undefined) return;
      const reasons = reply.reasons.get(i);
      const told = reasons === undefined ? undefined : decodeFailureDetails(reasons.toString());
      const record = decodeRecord(jobId, bytes, told, (number) => this.words.get(number));
      this.shared.records.set(this.cacheKey(jobId), record);
      found.set(jobId, record);
    });
    return found;
  }

  async write({ cursor, records, subscription, reconciled }: Batch): Promise<void> {
    const args: ScriptArgument[] = [];
    const uris: ScriptArgument[] = [];
    const newJobs: string[] = [];
    const newWords: string[] = [];
    const wordNumber = (word: string): number => {
      const known = this.numbers.get(word);
      if (known !== undefined) return known;
      const number = this.numbers.size;
      this.learnWord(number, word);
      newWords.push(word);
      return number;
    };
    for (const [jobId, record] of records) {
      const before = this.shared.records.get(this.cacheKey(jobId));
      args.push(packJobId(jobId), encodeRecord(jobId, record, wordNumber), changedReasons(before, record));
      if (before === undefined) newJobs.push(jobId);
      if (record.externalUri !== undefined && before?.externalUri === undefined) {
        uris.push(record.externalUri, packJobIds([jobId]));
      }
    }
    try {
      if (newJobs.length > 0) await this.shared.index.add(this.key, newJobs, this.shared.options.ttlSeconds);
      const [now, revision, unfinished, kept = 0] = await this.shared.redis.writeJobSet(
        this.meta,
        this.generation,
        this.cursor,
        this.revision,
        cursor,
        subscription.state,
        subscription.reason,
        subscription.syncedAt === undefined ? '' : Math.floor(toMs(this.clock.at(subscription.syncedAt))),
        this.shared.options.ttlSeconds,
        CHANGES_TTL_SECONDS,
        CHANGES_KEPT,
        reconciled === true ? 'reconciled' : '',
        subscription.nextReadAt === undefined ? '' : Math.ceil(toMs(this.clock.at(subscription.nextReadAt))),
        records.size,
        ...args,
        newWords.length,
        ...newWords.flatMap((word) => [this.numbers.get(word) ?? 0, word]),
        uris.length / 2,
        ...uris,
      );
      if (revision === undefined || unfinished === undefined) throw new StaleWriterError(this.key);
      this.clock.synchronize(now);
      this.cursor = cursor;
      this.revision = revision;
      this.unfinished = unfinished;
      if (kept > 0) this.shared.options.onKept(this.key, kept);
      for (const [jobId, record] of records) {
        if (kept === 0) this.shared.records.set(this.cacheKey(jobId), record);
        else this.shared.records.delete(this.cacheKey(jobId));
      }
    } catch (error) {
      // The numbers of words that may not have been kept must be given out again by the next try.
      for (const word of newWords) {
        this.words.delete(this.numbers.get(word) ?? -1);
        this.numbers.delete(word);
      }
      throw error;
    }
  }

  async reload(): Promise<boolean> {
    const { redis } = this.shared;
    const words = formatKey({ kind: 'words', jobSet: this.key, generation: this.generation });
    const [[generation, cursor, revision, unfinished], numbered] = await Promise.all([
      redis.hmget(this.meta, 'generation', 'cursor', 'revision', 'unfinished'),
      redis.hgetall(words),
    ]);
    if (generation !== this.generation || cursor !== this.cursor) return false;
    for (const [number, word] of Object.entries(numbered)) this.learnWord(Number(number), word);
    this.revision = Number(revision);
    this.unfinished = Number(unfinished);
    this.takenUp = this.shared.takenUp++;
    return true;
  }

  async *unfinishedJobs(): AsyncGenerator<ReadonlyMap<string, number>> {
    let bucket = 0;
    do {
      const [next = 0, ...found] = await this.shared.redis.unfinishedJobsBuffer(
        this.meta,
        this.generation,
        bucket,
        BUCKETS_AT_ONCE,
      );
      const jobs = new Map<string, number>();
      for (let i = 0; i + 1 < found.length; i += 2) {
        const [id, record] = [found[i], found[i + 1]];
        if (id !== undefined && record !== undefined) jobs.set(unpackJobId(id), decodeChangedAt(record));
      }
      if (jobs.size > 0) yield jobs;
      bucket = next;
    } while (bucket > 0);
  }

  private learnWord(number: number, word: string): void {
    this.words.set(number, word);
    this.numbers.set(word, number);
  }

  /** What was read is good for this writer alone, until it takes the job set up again: another one may have written since. */
  private cacheKey(jobId: string): string {
    return `${this.takenUp}:${jobId}`;
  }
}

function changedReasons(before: JobRecord | undefined, after: JobRecord): string {
  const reasons = failureDetailsOf(after);
  if (
    reasons === undefined ||
    (before !== undefined &&
      before.failure === after.failure &&
      before.cancellation === after.cancellation &&
      before.run?.preempted === after.run?.preempted)
  ) {
    return '';
  }
  return encodeFailureDetails(reasons);
}
