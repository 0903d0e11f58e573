import { Cluster } from 'ioredis';
import {
  ArmadaTime,
  isTerminal,
  toMs,
  type Cursor,
  type JobId,
  type JobRecord,
  type JobSetKey,
  type RedisTime,
} from '@ajs/job-state';
import { monotonicNow } from '@ajs/platform';
import type { Generation } from '@ajs/redis-keys';
import type { RedisClock } from '../client/redis-clock.js';
import type { RedisClient } from '../client/redis-client.js';
import { encodeExternalUri } from '../codec/enrichment-codec.js';
import { changedFailureDetails, decodeFailureDetails } from '../codec/failure-details.js';
import { packJobIds, unpackJobId } from '../codec/job-id-codec.js';
import { PackedRecords } from '../codec/packed-records.js';
import { decodeChangedAt, decodeRecord } from '../codec/record-codec.js';
import { LAYOUT } from '../codec/record-layout.js';
import { parseStateCounts, unfinishedIn } from '../codec/state-counts.js';
import { NewerLayoutError, StaleWriterError, UnreadableRecordError } from '../errors.js';
import { eventLagMs } from '../event-lag.js';
import type { Batch, JobSetWriter, StoredRate } from '../ports.js';
import { readJobsReply, recordsOf } from '../scripts/jobs-reply.js';
import type { ScriptArgument, Scripts } from '../scripts/scripts.js';
import type { JobIndex } from './job-index.js';
import type { CachedRecords, RecordCache } from './record-cache.js';
import { StringNumbers } from './string-numbers.js';

/** About a thousand jobs: looked through by one script. */
const BUCKETS_AT_ONCE = 25;
/** The revision of a generation that was begun and has no record: whatever writes raises it. */
const BEGUN = 1;

/** What all writers of a process share. */
export interface WriterContext {
  readonly redis: RedisClient & Scripts;
  readonly index: JobIndex;
  readonly records: RecordCache;
  readonly ttlSeconds: number;
  readonly onKept: (key: JobSetKey, jobs: number) => void;
  readonly onUnreadable: (key: JobSetKey, jobId: JobId, reason: string) => void;
}

/** The last write of a job set that this process knows of. Outlives its writer: Redis may lose it. */
export interface LastWrite {
  readonly generation: Generation;
  revision: number;
}

/** Where a job set stands. */
export interface Position {
  readonly clock: RedisClock;
  readonly lastWrite: LastWrite;
  readonly cursor: Cursor;
  readonly unfinished: number;
  readonly reconciledAgoMs: number | undefined;
  readonly storedRate: StoredRate | undefined;
  /** The string dictionary. */
  readonly strings: readonly (readonly [number: number, text: string])[];
}

/** The writer of one job set over Redis 7.0 or later. */
export class RedisJobSetWriter implements JobSetWriter {
  cursor: Cursor;
  unfinished: number;
  readonly reconciledAgoMs?: number;
  readonly storedRate?: StoredRate;
  eventLagMs = 0;
  /** What was read is good for this writer alone, until it takes the job set up again: another one may have written since. */
  private readonly records: CachedRecords = new Map();
  /** Jobs that are written, and were refused by the job index. */
  private unindexed: readonly JobId[] = [];
  private readonly clock: RedisClock;
  private readonly lastWrite: LastWrite;
  private readonly strings = new StringNumbers();

  constructor(
    private readonly context: WriterContext,
    readonly key: JobSetKey,
    private readonly meta: string,
    position: Position,
  ) {
    this.clock = position.clock;
    this.lastWrite = position.lastWrite;
    this.cursor = position.cursor;
    this.unfinished = position.unfinished;
    if (position.reconciledAgoMs !== undefined) this.reconciledAgoMs = position.reconciledAgoMs;
    if (position.storedRate !== undefined) this.storedRate = position.storedRate;
    for (const [number, text] of position.strings) this.strings.set(number, text);
  }

  async load(jobIds: Iterable<JobId>): Promise<ReadonlyMap<JobId, JobRecord>> {
    const loaded = new Map<JobId, JobRecord>();
    const missing: JobId[] = [];
    for (const jobId of jobIds) {
      const cached = this.records.get(jobId);
      if (cached === undefined) missing.push(jobId);
      else loaded.set(jobId, cached);
    }
    // Should anybody add a record now, this writer is stale, and reloads before it writes.
    if (missing.length === 0 || this.lastWrite.revision === BEGUN) return loaded;
    const reply = readJobsReply(
      await this.context.redis.readJobsBuffer(this.meta, packJobIds(missing)),
      missing.length,
    );
    if (reply.generation !== this.lastWrite.generation) throw new StaleWriterError(this.key);
    const records = recordsOf(reply, missing.length);
    const read = new Map<JobId, JobRecord>();
    missing.forEach((jobId, i) => {
      const bytes = records[i];
      if (bytes === undefined) return;
      const record = this.decode(jobId, bytes, reply.failureDetails.get(i));
      if (record === undefined) return;
      read.set(jobId, record);
      loaded.set(jobId, record);
    });
    this.context.records.update(this.records, read, () => true);
    return loaded;
  }

  async write(batch: Batch): Promise<RedisTime> {
    const { cursor, records, subscription, shownUntil, reconciled } = batch;
    const packed = new PackedRecords((text) => this.strings.numberOf(text));
    const uris: ScriptArgument[] = [];
    const newJobs: JobId[] = [];
    try {
      for (const [jobId, record] of records) {
        const before = this.records.get(jobId);
        packed.add(jobId, record, changedFailureDetails(before, record));
        if (before === undefined) newJobs.push(jobId);
        if (record.externalUri !== undefined && before?.externalUri === undefined) {
          uris.push(record.externalUri, packJobIds([jobId]), encodeExternalUri(record.externalUri));
        }
      }
      const mustWait = this.unindexed.length > 0 || this.context.redis instanceof Cluster;
      const indexed = this.addToIndex(newJobs);
      // One server takes both in this order; the nodes of a Cluster do not wait for each other.
      if (mustWait) await indexed;
      const strings = this.strings.uncommitted;
      const sentAt = monotonicNow();
      const written = this.context.redis.writeJobSet(
        this.meta,
        this.lastWrite.generation,
        this.cursor,
        this.lastWrite.revision,
        cursor,
        subscription.state,
        subscription.reason,
        subscription.syncedAt === undefined ? '' : Math.floor(toMs(this.clock.at(subscription.syncedAt))),
        this.context.ttlSeconds,
        reconciled === true ? 'reconciled' : '',
        subscription.nextReadAt === undefined ? '' : Math.ceil(toMs(this.clock.at(subscription.nextReadAt))),
        shownUntil === undefined ? '' : toMs(shownUntil),
        (batch.eventsPerMinute ?? 0).toFixed(2),
        packed.bytes,
        strings.length,
        ...strings.flat(),
        uris.length / 3,
        ...uris,
      );
      const [{ status: indexStatus }] = await Promise.allSettled([indexed, written]);
      const [now, revision, unfinished, kept = 0, aheadSince] = await written;
      if (revision === undefined) throw new StaleWriterError(this.key);
      if (indexStatus === 'rejected') this.unindexed = newJobs;
      this.strings.commit();
      this.clock.synchronize(now, sentAt);
      this.cursor = cursor;
      this.lastWrite.revision = revision;
      this.unfinished = unfinished ?? this.unfinished;
      // What is written has just been read.
      this.eventLagMs = typeof aheadSince === 'string' ? eventLagMs(ArmadaTime(Number(aheadSince)), now) : 0;
      if (kept > 0) this.context.onKept(this.key, kept);
      // Hardly any event follows the end of a job.
      this.context.records.update(this.records, records, ({ state }) => kept === 0 && !isTerminal(state));
      return now;
    } catch (error) {
      this.strings.rollBack();
      throw error;
    }
  }

  async reload(): Promise<boolean> {
    const { lastWrite } = this;
    const { redis } = this.context;
    const dictionary = redis.ownKeys.format({
      kind: 'strings',
      jobSet: this.key,
      generation: lastWrite.generation,
    });
    const [[generation, layout, cursor, revision, counts], strings] = await Promise.all([
      redis.hmget(this.meta, 'generation', 'layout', 'cursor', 'revision', 'counts'),
      redis.hgetall(dictionary),
    ]);
    if (Number(layout) > LAYOUT) throw new NewerLayoutError(this.key, Number(layout), LAYOUT);
    const hasLostWrites = Number(revision) < lastWrite.revision;
    if (generation !== lastWrite.generation || cursor !== this.cursor || hasLostWrites) return false;
    for (const [number, text] of Object.entries(strings)) this.strings.set(Number(number), text);
    lastWrite.revision = Number(revision);
    this.unfinished = unfinishedIn(parseStateCounts(counts ?? ''));
    this.context.records.clear(this.records);
    return true;
  }

  async *unfinishedJobs(): AsyncGenerator<ReadonlyMap<JobId, ArmadaTime>> {
    let bucket = 0;
    do {
      const [next = 0, ...entries] = await this.context.redis.unfinishedJobsBuffer(
        this.meta,
        this.lastWrite.generation,
        bucket,
        BUCKETS_AT_ONCE,
      );
      const jobs = new Map<JobId, ArmadaTime>();
      for (let i = 0; i + 1 < entries.length; i += 2) {
        const [id, record] = [entries[i], entries[i + 1]];
        if (id !== undefined && record !== undefined) jobs.set(unpackJobId(id), decodeChangedAt(record));
      }
      if (jobs.size > 0) yield jobs;
      bucket = next;
    } while (bucket > 0);
  }

  /** As well as those that it refused with the write before: until it has them, nothing more is written. */
  private async addToIndex(newJobs: readonly JobId[]): Promise<void> {
    const jobIds = [...this.unindexed, ...newJobs];
    if (jobIds.length === 0) return;
    await this.context.index.add(this.key, jobIds, this.context.ttlSeconds);
    this.unindexed = [];
  }

  private decode(jobId: JobId, bytes: Buffer, details: Buffer | undefined): JobRecord | undefined {
    try {
      const failureDetails = details === undefined ? undefined : decodeFailureDetails(details.toString());
      return decodeRecord(jobId, bytes, failureDetails, (number) => this.strings.stringOf(number));
    } catch (error) {
      if (!(error instanceof UnreadableRecordError)) throw error;
      this.context.onUnreadable(this.key, jobId, error.message);
      return undefined;
    }
  }
}
