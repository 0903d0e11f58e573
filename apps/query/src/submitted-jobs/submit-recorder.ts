import { completesWithin } from '@ajs/platform';
import { JobSubmitRequest, JobSubmitResponse, type JobSubmitRequestItem } from '@ajs/contracts/api/submit';
import type { JobSetKey } from '@ajs/job-state';
import type { ProvisionalJobSink, ProvisionalJob } from '@ajs/job-store';
import { EXTERNAL_URI_ANNOTATION, LONGEST_EXTERNAL_URI, cut } from '@ajs/wire-mapping';
import { nameProblem } from '../name-problem.js';
import type { ExchangeObserver } from '../pass-through/forwarded-call.js';

/** The method whose exchanges are learned from. */
export const SUBMIT_JOBS = '/api.Submit/SubmitJobs';

/**
 * The answer of a submit waits so long for Redis, at most. A write takes about one millisecond, a submit itself tens of them; for
 * that the poll which comes right after the answer finds the job, at whichever replica. Milliseconds.
 */
const WAIT_MS = 10;
/** More jobs of one submit than this are left to the stream. */
const MOST_JOBS = 10_000;
/** Written at once. */
const CHUNK = 500;

export interface SubmitRecorderOptions {
  readonly provisionalJobs: Pick<ProvisionalJobSink, 'addProvisionalJobs'>;
  /** Asks Armada about jobs, under our own identity, and learns what it says. */
  readonly resolve: (jobIds: readonly string[]) => Promise<unknown>;
  readonly noteInterest: (key: JobSetKey) => void;
  /** Not all was learned: the stream will tell, or a look-up when somebody asks. */
  readonly failed: (error: Error) => void;
  readonly now?: () => number;
}

/** The jobs of one submit that Armada has accepted. */
interface Submitted {
  readonly key: JobSetKey;
  /** New for sure. */
  readonly fresh: readonly ProvisionalJob[];
  /** Submitted with a client id: Armada may have answered with an older job, even one of another job set. */
  readonly perhapsOlder: readonly string[];
}

/**
 * Learns from forwarded submits which jobs there are now, so that they are known at once and followed before the first poll:
 * Armada's own `api.Jobs` does not know them for some moments.
 */
export function recordSubmits(options: SubmitRecorderOptions): ExchangeObserver {
  const { provisionalJobs: learner, resolve: settle, noteInterest, now = Date.now } = options;
  const failed = (error: unknown): void => options.failed(error as Error);
  return async (request, response) => {
    try {
      const submitted = readSubmit(request, response, now());
      if (submitted === undefined) return;
      const { key, fresh, perhapsOlder } = submitted;
      const learned = learnInChunks(learner, key, fresh).catch(failed);
      noteInterest(key);
      if (perhapsOlder.length > 0) settle(perhapsOlder).catch(failed);
      await completesWithin(WAIT_MS, learned);
    } catch (error) {
      failed(error);
    }
  };
}

/** `undefined` where no job was accepted, or in a job set that cannot be followed. Throws where the bytes are not readable. */
function readSubmit(request: Buffer, response: Buffer, now: number): Submitted | undefined {
  const { queue, jobSetId, jobRequestItems } = JobSubmitRequest.decode(request);
  const { jobResponseItems } = JobSubmitResponse.decode(response);
  if (nameProblem(queue) !== undefined || nameProblem(jobSetId) !== undefined) return undefined;
  const fresh: ProvisionalJob[] = [];
  const perhapsOlder: string[] = [];
  for (const [i, { jobId, error }] of jobResponseItems.slice(0, MOST_JOBS).entries()) {
    const item = jobRequestItems[i];
    if (item === undefined || error !== '' || nameProblem(jobId) !== undefined) continue;
    if (item.clientId !== '') perhapsOlder.push(jobId);
    else fresh.push(toLearnedJob(jobId, item, now));
  }
  if (fresh.length + perhapsOlder.length === 0) return undefined;
  return { key: { queue, jobSetId }, fresh, perhapsOlder };
}

function toLearnedJob(jobId: string, item: JobSubmitRequestItem, now: number): ProvisionalJob {
  const uri = item.externalJobUri || item.annotations[EXTERNAL_URI_ANNOTATION];
  return {
    jobId,
    state: 'SUBMITTED',
    changedAt: now,
    submittedAt: now,
    ...(uri !== undefined && uri !== '' && { externalUri: cut(uri, LONGEST_EXTERNAL_URI) }),
  };
}

async function learnInChunks(
  learner: Pick<ProvisionalJobSink, 'addProvisionalJobs'>,
  key: JobSetKey,
  jobs: readonly ProvisionalJob[],
): Promise<void> {
  for (let from = 0; from < jobs.length; from += CHUNK) {
    await learner.addProvisionalJobs(key, jobs.slice(from, from + CHUNK));
  }
}
