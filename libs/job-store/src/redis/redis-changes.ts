import { Cluster } from 'ioredis';
import { Cursor, type JobSetKey } from '@ajs/job-state';
import { Generation } from '@ajs/redis-keys';
import {
  WATCHED_FOR_MS,
  type ChangeListener,
  type ChangeNotice,
  type ChangeSubscription,
  type ChangedJob,
  type ChangesPage,
  type JobSetChanges,
  type JobSetMoment,
} from '../change-ports.js';
import type { RedisClient } from '../client/redis-client.js';
import { unpackJobId } from '../codec/job-id-codec.js';
import { BEGINNING, PLACES, comparePlaces, formatPosition, parsePosition } from '../codec/job-place.js';
import { decodeRevision, type StringOfNumber } from '../codec/record-codec.js';
import { UnreadableRecordError } from '../errors.js';
import type { JobPosition } from '../listing-ports.js';
import { readNotice } from '../scripts/change-notice.js';
import { SUBSCRIPTION_FIELDS, storedSubscription } from '../scripts/jobs-reply.js';
import { withScripts, type Scripts } from '../scripts/scripts.js';
import { decodeJob, listedJobs, type ListedJob } from '../codec/stored-job.js';
import { toSubscription } from './stored-subscription.js';
import { StringDictionary } from './string-dictionary.js';

/** Of one page: looked through in a millisecond or two. */
const BUCKETS_AT_ONCE = 50;
const JOBS_AT_ONCE = 400;

interface Subscription {
  received(message: Buffer): void;
  interrupted(): void;
}

/** The changes of job sets over Redis 7.0 or later, single or Cluster. */
export class RedisJobSetChanges implements JobSetChanges {
  private readonly redis: RedisClient & Scripts;
  private readonly strings = new StringDictionary();
  private readonly subscriptions = new Map<string, Subscription>();

  /** @param subscriber A client of its own, of the role `subscriber`: a subscribed connection can do nothing else */
  constructor(
    redis: RedisClient,
    private readonly subscriber: RedisClient,
  ) {
    this.redis = withScripts(redis);
    subscriber.on('smessageBuffer', (channel: Buffer, message: Buffer) => {
      this.subscriptions.get(channel.toString())?.received(message);
    });
    // Of a cluster each node has a connection of its own, and slots move between them.
    subscriber.on(subscriber instanceof Cluster ? 'subscribersReady' : 'ready', () => this.interrupted());
  }

  async subscribe(key: JobSetKey, listener: ChangeListener): Promise<ChangeSubscription> {
    const channel = this.redis.ownKeys.changesChannel(key);
    // Strings of a notice may have to be fetched: the next one waits for it.
    let last = Promise.resolve();
    const subscription: Subscription = {
      received: (message) => {
        last = last.then(async () => {
          const notice = await this.decode(key, message);
          if (notice !== undefined && isOpen()) listener.notice(notice);
        });
      },
      interrupted: () => listener.interrupted(),
    };
    const isOpen = (): boolean => this.subscriptions.get(channel) === subscription;
    this.subscriptions.set(channel, subscription);
    const close = (): void => {
      if (!isOpen()) return;
      this.subscriptions.delete(channel);
      void this.unsubscribe(channel);
    };
    try {
      await this.subscriber.ssubscribe(channel);
    } catch (error) {
      close();
      throw error;
    }
    const renew = async (): Promise<void> => {
      // The client of a cluster keeps a list of its subscriptions, with one entry for each `ssubscribe`.
      if (isOpen() && this.subscriber instanceof Cluster) await this.unsubscribe(channel);
      if (isOpen()) await this.subscriber.ssubscribe(channel);
    };
    return { renew, close };
  }

  async watch(key: JobSetKey): Promise<JobSetMoment> {
    const [now, generation, revision, ...rest] = await this.redis.watchJobSetBuffer(
      this.redis.ownKeys.metaKey(key),
      WATCHED_FOR_MS,
    );
    if (generation === undefined) return { now };
    return {
      now,
      position: { generation: Generation(generation.toString()), revision: Number(revision) },
      subscription: toSubscription(now, storedSubscription(rest)),
      cursor: Cursor(String(rest[SUBSCRIPTION_FIELDS])),
    };
  }

  async readChanges(
    key: JobSetKey,
    generation: Generation,
    after: number,
    from?: JobPosition,
  ): Promise<ChangesPage | undefined> {
    const begin = from === undefined ? BEGINNING : parsePosition(from);
    const [revision, end = PLACES, ...entries] = await this.redis.readChangesBuffer(
      this.redis.ownKeys.metaKey(key),
      generation,
      after,
      begin.place,
      BUCKETS_AT_ONCE,
      JOBS_AT_ONCE,
    );
    if (revision === undefined) return undefined;
    const jobs = listedJobs(entries).filter((job) => comparePlaces(job, begin) > 0);
    const next = end < PLACES && formatPosition({ ...BEGINNING, place: end });
    return {
      revision,
      jobs: await this.decodeJobs(key, generation, jobs),
      ...(next !== false && { next }),
    };
  }

  private interrupted(): void {
    for (const subscription of this.subscriptions.values()) subscription.interrupted();
  }

  private async unsubscribe(channel: string): Promise<void> {
    try {
      await this.subscriber.sunsubscribe(channel);
    } catch {
      // Where Redis cannot be reached, or no node of a cluster has the slot, there is no subscription.
    }
  }

  /** `undefined` where it cannot be read, which its receiver sees by the next one. */
  private async decode(key: JobSetKey, message: Buffer): Promise<ChangeNotice | undefined> {
    try {
      const notice = readNotice(message);
      if (notice === undefined) return undefined;
      const { jobs, ...position } = notice;
      if (jobs === undefined) return position;
      return { ...position, jobs: await this.decodeJobs(key, position.generation, jobs) };
    } catch {
      return undefined;
    }
  }

  private async decodeJobs(
    key: JobSetKey,
    generation: Generation,
    jobs: readonly ListedJob[],
  ): Promise<ChangedJob[]> {
    const dictionary = this.redis.ownKeys.format({ kind: 'strings', jobSet: key, generation });
    const sorted = [...jobs].sort(comparePlaces);
    return this.strings.decode(
      generation,
      (stringOf) => sorted.map((job) => toChangedJob(job, generation, stringOf)),
      (numbers) => this.redis.hmget(dictionary, ...numbers.map(String)),
    );
  }
}

function toChangedJob(
  { packedId, stored }: ListedJob,
  generation: Generation,
  stringOf: StringOfNumber,
): ChangedJob {
  const jobId = unpackJobId(packedId);
  const position = { generation, revision: decodeRevision(stored.record) };
  try {
    return { jobId, ...position, job: decodeJob(jobId, stored, stringOf) };
  } catch (error) {
    if (!(error instanceof UnreadableRecordError)) throw error;
    return { jobId, ...position };
  }
}
