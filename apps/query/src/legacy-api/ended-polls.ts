import { JobServiceRequest, type JobServiceResponse } from '@ajs/contracts/jobservice/jobservice';
import { jobSetTag, type JobSetTag } from '@ajs/redis-keys';
import { LRUCache } from 'lru-cache';
import type { UnaryReply } from '../grpc/unary-method.js';

/** On average for a poll, names and text of usual length included. */
const BYTES_PER_POLL = 1_024;
/** What an entry takes beside its names and its text: objects, and its places in the cache. */
const ENTRY_BYTES = 400;

/** Job sets of which jobs are polled at a time. */
const JOB_SETS_SHARED = 10_000;

interface NamedJobSet extends Pick<JobServiceRequest, 'queue' | 'jobSetId'> {
  readonly tag: JobSetTag;
}

/** A poll with the reply that it gets for ever. */
export interface EndedPoll extends JobServiceRequest, NamedJobSet {
  readonly reply: UnaryReply<JobServiceResponse>;
}

/**
 * Polls of jobs that have ended, by the bytes of their requests: such a poll is answered without decoding it, and with the bytes that
 * answered it before.
 */
export class EndedPolls {
  private readonly polls: LRUCache<string, EndedPoll>;
  /** Polls of a job set share its names: copies would be a third of what polls take. */
  private readonly jobSets = new LRUCache<JobSetTag, NamedJobSet>({ max: JOB_SETS_SHARED });

  /**
   * @param max the most polls that are kept (`TERMINAL_CACHE_JOBS`), fewer where they take more than 1 KiB on average, as with long reasons why
   *   jobs failed; those not seen for the longest time go first
   */
  constructor(max: number) {
    this.polls = new LRUCache({ max, maxSize: max * BYTES_PER_POLL, sizeCalculation: sizeOf });
  }

  /** What these bytes request. Throws where they cannot be decoded. */
  decode(bytes: Buffer): JobServiceRequest | EndedPoll {
    return this.polls.get(bytes.toString('latin1')) ?? JobServiceRequest.decode(bytes);
  }

  /**
   * Keeps a reply that will never change. Under the bytes that clients send for the request, which are not those that came: a request can be
   * encoded in countless ways, which would take room each.
   */
  add(request: JobServiceRequest, reply: UnaryReply<JobServiceResponse>): void {
    const bytes = Buffer.from(JobServiceRequest.encode(request).finish());
    const { jobId } = request;
    const { queue, jobSetId, tag } = this.namesOf(request);
    this.polls.set(bytes.toString('latin1'), { jobId, jobSetId, queue, tag, reply });
  }

  private namesOf({ queue, jobSetId }: JobServiceRequest): NamedJobSet {
    const tag = jobSetTag({ queue, jobSetId });
    const known = this.jobSets.get(tag);
    if (known !== undefined) return known;
    const names = { queue, jobSetId, tag };
    this.jobSets.set(tag, names);
    return names;
  }
}

/** The text is in the response, and in its bytes. */
function sizeOf({ reply: { response } }: EndedPoll, bytes: string): number {
  return ENTRY_BYTES + bytes.length + 2 * response.error.length;
}

export function isEnded(request: JobServiceRequest | EndedPoll): request is EndedPoll {
  return 'reply' in request;
}
