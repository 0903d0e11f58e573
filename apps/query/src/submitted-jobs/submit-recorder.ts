import { armadaNow, completesWithin, inParts } from '@ajs/platform';
import { JobSubmitRequest, JobSubmitResponse, type JobSubmitRequestItem } from '@ajs/contracts/api/submit';
import { JobId, idProblem, mintedAt, nameProblem, type ArmadaTime, type JobSetKey } from '@ajs/job-state';
import type { ProvisionalJobSink, ProvisionalJob } from '@ajs/job-store';
import { EXTERNAL_URI_ANNOTATION, LONGEST_EXTERNAL_URI, StrictReader, cut } from '@ajs/wire-mapping';
import type { ExchangeObserver } from '../pass-through/forwarded-call.js';

/** The method whose exchanges are recorded. */
export const SUBMIT_JOBS = '/api.Submit/SubmitJobs';

/**
 * The answer of a submit waits for Redis at most this long, so that a poll right after it finds the job at any replica. The write takes
 * about one millisecond, the submit itself tens of them. Milliseconds.
 */
const WAIT_MS = 10;
/** Further jobs of one submit are left to the stream. */
const MAX_JOBS = 10_000;
/** Jobs in one write. */
const CHUNK = 500;

export interface SubmitRecorderOptions {
  readonly provisionalJobs: Pick<ProvisionalJobSink, 'addProvisionalJobs'>;
  /** Resolves jobs by Armada's `api.Jobs`, as this service, and records them. */
  readonly resolve: (jobIds: readonly JobId[]) => Promise<unknown>;
  readonly noteInterest: (key: JobSetKey) => void;
  readonly redisFailed: (error: Error) => void;
  /** Not all jobs were recorded, for whatever cause: the stream will show them, or a poll will resolve them. */
  readonly failed: (error: Error) => void;
  /** No job was recorded, since it is not certain that Armada reads the same from the messages. The problem is a clause for people. */
  readonly notRead: (problem: string) => void;
  readonly now?: () => ArmadaTime;
}

const requests = new StrictReader('api.JobSubmitRequest', JobSubmitRequest);
const responses = new StrictReader('api.JobSubmitResponse', JobSubmitResponse);

/** The jobs of one submit that Armada has accepted. */
interface Submitted {
  readonly key: JobSetKey;
  /** Certainly new. */
  readonly fresh: readonly ProvisionalJob[];
  /** Submitted with a client id: Armada may have answered with an older job, even one of another job set. */
  readonly perhapsOlder: readonly JobId[];
}

/**
 * Records the jobs of forwarded submits as provisional, so that they are cached at once and their job set is followed before the first
 * poll: Armada's own `api.Jobs` does not know them for some moments.
 */
export function recordSubmits(options: SubmitRecorderOptions): ExchangeObserver {
  const { provisionalJobs, resolve, noteInterest, redisFailed, now = armadaNow } = options;
  const failed = (error: unknown): void => options.failed(error as Error);
  return async (request, response) => {
    try {
      const submitted = readSubmit(request, response, now());
      if (submitted === undefined) return;
      if ('problem' in submitted) {
        options.notRead(submitted.problem);
        return;
      }
      const { key, fresh, perhapsOlder } = submitted;
      const written = writeInChunks(provisionalJobs, key, fresh).catch((error: unknown) => {
        redisFailed(error as Error);
        failed(error);
      });
      noteInterest(key);
      if (perhapsOlder.length > 0) resolve(perhapsOlder).catch(failed);
      await completesWithin(WAIT_MS, written);
    } catch (error) {
      failed(error);
    }
  };
}

/**
 * `undefined` where no job was accepted, or its job set cannot be followed. Queue, job set and URI are the caller's word: they stand only
 * where Armada has certainly read the same and accepted it, item by item.
 */
function readSubmit(
  request: Buffer,
  response: Buffer,
  now: ArmadaTime,
): Submitted | { readonly problem: string } | undefined {
  const asked = requests.read(request);
  if (asked.kind !== 'canonical') return { problem: `in the request, ${asked.problem}` };
  const answered = responses.read(response);
  if (answered.kind !== 'canonical') return { problem: `in the response, ${answered.problem}` };
  const { queue, jobSetId, jobRequestItems } = asked.message;
  const { jobResponseItems } = answered.message;
  if (nameProblem(queue) !== undefined || nameProblem(jobSetId) !== undefined) return undefined;
  if (jobResponseItems.length !== jobRequestItems.length) {
    return { problem: `the response has ${jobResponseItems.length} items for ${jobRequestItems.length}` };
  }
  const fresh: ProvisionalJob[] = [];
  const perhapsOlder: JobId[] = [];
  for (const [i, { jobId, error }] of jobResponseItems.slice(0, MAX_JOBS).entries()) {
    const item = jobRequestItems[i];
    if (item === undefined || error !== '' || idProblem(jobId) !== undefined) continue;
    if (item.clientId !== '') perhapsOlder.push(JobId(jobId));
    else fresh.push(toProvisionalJob(JobId(jobId), item, now));
  }
  if (fresh.length + perhapsOlder.length === 0) return undefined;
  return { key: { queue, jobSetId }, fresh, perhapsOlder };
}

function toProvisionalJob(jobId: JobId, item: JobSubmitRequestItem, now: ArmadaTime): ProvisionalJob {
  // By Armada's clock, as other times of the job, where its id says so.
  const submittedAt = mintedAt(jobId) ?? now;
  const uri = item.externalJobUri || item.annotations[EXTERNAL_URI_ANNOTATION];
  return {
    jobId,
    state: 'SUBMITTED',
    changedAt: submittedAt,
    submittedAt,
    ...(uri !== undefined && uri !== '' && { externalUri: cut(uri, LONGEST_EXTERNAL_URI) }),
  };
}

async function writeInChunks(
  sink: Pick<ProvisionalJobSink, 'addProvisionalJobs'>,
  key: JobSetKey,
  jobs: readonly ProvisionalJob[],
): Promise<void> {
  for (const some of inParts(jobs, CHUNK)) await sink.addProvisionalJobs(key, some);
}
