import {
  ArmadaTime,
  Cursor,
  JOB_STATES,
  RedisTime,
  stateOfNumber,
  type JobId,
  type JobSetKey,
  type JobState,
} from '@ajs/job-state';
import { Generation } from '@ajs/redis-keys';
import type { RedisClient } from '../client/redis-client.js';
import { unpackJobId } from '../codec/job-id-codec.js';
import {
  BEGINNING,
  PLACES,
  comparePlaces,
  formatPosition,
  parsePosition,
  type ListedUpTo,
} from '../codec/job-place.js';
import { STATE_BITS } from '../codec/record-layout.js';
import { parseStateCounts } from '../codec/state-counts.js';
import { UnreadableRecordError } from '../errors.js';
import type { JobPage, JobPageRequest, JobSetLister, JobSetSummary } from '../listing-ports.js';
import type { DetailedJob } from '../ports.js';
import { SUBSCRIPTION_FIELDS, storedSubscription, type StoredSubscription } from '../scripts/jobs-reply.js';
import { withScripts, type Scripts } from '../scripts/scripts.js';
import { isSilent } from '../subscription-view.js';
import { decodeJob, listedJobs, type ListedJob } from '../codec/stored-job.js';
import { toSubscription } from './stored-subscription.js';
import { StringDictionary } from './string-dictionary.js';

/** One page looks through so many jobs for those in certain states: a millisecond or two of Redis. */
const MOST_LOOKED_THROUGH = 1_000;

/** The lister of whole job sets over Redis 7.0 or later, single or Cluster. */
export class RedisJobSetLister implements JobSetLister {
  private readonly redis: RedisClient & Scripts;
  private readonly strings = new StringDictionary();

  constructor(redis: RedisClient) {
    this.redis = withScripts(redis);
  }

  describe(keys: readonly JobSetKey[]): Promise<(JobSetSummary | undefined)[]> {
    return Promise.all(keys.map((key) => this.describeOne(key)));
  }

  async listJobs(
    key: JobSetKey,
    { generation: expected = Generation(''), after, states, limit }: JobPageRequest,
  ): Promise<JobPage | 'other-generation' | undefined> {
    const from = after === undefined ? BEGINNING : parsePosition(after);
    const [now, generation, ...rest] = await this.redis.listJobsBuffer(
      this.redis.ownKeys.metaKey(key),
      expected,
      from.place,
      limit,
      MOST_LOOKED_THROUGH,
      states === undefined ? '' : Buffer.from(Array.from(states, (state) => JOB_STATES[state].number)),
    );
    if (generation === undefined) return undefined;
    if (rest.length === 0) return 'other-generation';
    const [cursor, end, ...entries] = rest.slice(SUBSCRIPTION_FIELDS);
    const found = listedJobs(entries as Buffer[]).filter((job) => comparePlaces(job, from) > 0);
    const listed = found.sort(comparePlaces).slice(0, limit);
    const current = Generation(String(generation));
    const next = nextOf(listed, found.length, Number(end));
    return {
      now,
      generation: current,
      subscription: toSubscription(now, storedSubscription(rest)),
      cursor: Cursor(String(cursor)),
      jobs: await this.decode(key, current, listed),
      ...(next !== undefined && { next: formatPosition(next) }),
    };
  }

  private async describeOne(key: JobSetKey): Promise<JobSetSummary | undefined> {
    const [now, generation, ...rest] = await this.redis.describeJobSetBuffer(this.redis.ownKeys.metaKey(key));
    if (generation === undefined) return undefined;
    const stored = storedSubscription(rest);
    const [cursor, counts, owner, firstSeen, lastChange] = rest.slice(SUBSCRIPTION_FIELDS).map(toText);
    return {
      now,
      subscription: toSubscription(now, stored),
      cursor: Cursor(cursor ?? ''),
      counts: countsByState(counts ?? ''),
      isFollowed: !isSilent(now, timesOf(stored)),
      ...(owner !== undefined && owner !== '' && { owner }),
      ...(firstSeen !== undefined && { firstSeenAt: RedisTime(Number(firstSeen)) }),
      ...(lastChange !== undefined && { lastChangeAt: ArmadaTime(Number(lastChange)) }),
    };
  }

  /** What cannot be read of one says nothing of the others. */
  private decode(
    key: JobSetKey,
    generation: Generation,
    listed: readonly ListedJob[],
  ): Promise<ReadonlyMap<JobId, DetailedJob>> {
    const dictionary = this.redis.ownKeys.format({ kind: 'strings', jobSet: key, generation });
    return this.strings.decode(
      generation,
      (stringOf) => {
        const jobs = new Map<JobId, DetailedJob>();
        for (const { packedId, stored } of listed) {
          const jobId = unpackJobId(packedId);
          try {
            jobs.set(jobId, decodeJob(jobId, stored, stringOf));
          } catch (error) {
            if (!(error instanceof UnreadableRecordError)) throw error;
          }
        }
        return jobs;
      },
      (numbers) => this.redis.hmget(dictionary, ...numbers.map(String)),
    );
  }
}

/** Where the next page begins: behind the last job of this one, or where the buckets end that were read for it. */
function nextOf(listed: readonly ListedJob[], found: number, end: number): ListedUpTo | undefined {
  const last = listed.at(-1);
  if (last !== undefined && found > listed.length) return last;
  return end < PLACES ? { ...BEGINNING, place: end } : undefined;
}

function countsByState(text: string): Map<JobState, number> {
  const counts = new Map<JobState, number>();
  for (const [kind, jobs] of parseStateCounts(text)) {
    const state = stateOfNumber(kind & STATE_BITS);
    if (state !== undefined) counts.set(state, jobs);
  }
  return counts;
}

function timesOf({ heartbeat, nextRead }: StoredSubscription): Parameters<typeof isSilent>[1] {
  return {
    heartbeatAt: RedisTime(Number(heartbeat)),
    nextReadAt: nextRead === '' ? undefined : RedisTime(Number(nextRead)),
  };
}

function toText(value: Buffer | number | null): string | undefined {
  return value === null ? undefined : String(value);
}
