import type { Duration } from '@ajs/contracts/google/protobuf/duration';
import type { JobRef, JobState as V2JobState } from '@ajs/contracts/jobservice/v2/job_status_service';
import { JobId, idProblem, nameProblem, type JobSetKey, type JobState } from '@ajs/job-state';
import { jobSetTag, type JobSetTag } from '@ajs/redis-keys';
import { countOfField, fromV2JobState } from '@ajs/wire-mapping';
import { invalidRequest } from './error-info.js';

/** The most jobs that one call may name. */
export const MAX_REFS = 1_000;
const MAX_PAGE_SIZE = 1_000;
const DEFAULT_PAGE_SIZE = 100;
/** The number of the field with the refs, in every request that has one. */
const REFS_FIELD = 1;
/** A ref with two names of 1,024 bytes, and an id of 63. */
const MAX_REF_BYTES = 2_200;
/** What the largest request that names jobs needs. */
export const MAX_REFS_REQUEST_BYTES = MAX_REFS * MAX_REF_BYTES + 1_024;

/** A job that a request names, by its job set or by its id alone. */
export interface RequestedJob {
  readonly ref: JobRef;
  readonly jobId: JobId;
  /** Its job set, and the tag of that; both left out where the request does not name it. */
  readonly key?: JobSetKey;
  readonly tag?: JobSetTag;
}

/** Throws INVALID_ARGUMENT where a request, which is not decoded yet, names too many jobs. */
export function checkRefCount(request: Buffer): void {
  requireCount(countOfField(request, REFS_FIELD));
}

/** The jobs that a request names; some of the refs may be known as jobs already. Throws INVALID_ARGUMENT. */
export function requestedJobs<Known extends RequestedJob = never>(
  refs: readonly (JobRef | Known)[],
): (RequestedJob | Known)[] {
  requireCount(refs.length);
  // Refs of one job set that follow each other share its key and tag.
  let last: { readonly key: JobSetKey; readonly tag: JobSetTag } | undefined;
  return refs.map((ref, i) => {
    if ('ref' in ref) return ref;
    const jobId = JobId(ref.jobId);
    const problem = idProblem(jobId);
    if (problem !== undefined) throw invalidRequest(`refs[${i}].job_id ${problem}`);
    if (ref.queue === '' && ref.jobSet === '') return { ref, jobId };
    if (last?.key.queue !== ref.queue || last.key.jobSetId !== ref.jobSet) {
      const key = jobSetKeyOf(ref, `refs[${i}].`);
      last = { key, tag: jobSetTag(key) };
    }
    return { ref, jobId, ...last };
  });
}

/** The job set that a request names. Throws INVALID_ARGUMENT. */
export function jobSetKeyOf(
  { queue, jobSet }: { readonly queue: string; readonly jobSet: string },
  prefix = '',
): JobSetKey {
  for (const [field, value] of [
    ['queue', queue],
    ['job_set', jobSet],
  ] as const) {
    const problem = nameProblem(value);
    if (problem !== undefined) throw invalidRequest(`${prefix}${field} ${problem}`);
  }
  return { queue, jobSetId: jobSet };
}

/** `undefined` where the request names none: all states. Throws INVALID_ARGUMENT. */
export function requestedStates(states: readonly V2JobState[]): ReadonlySet<JobState> | undefined {
  if (states.length === 0) return undefined;
  return new Set(
    states.map((number, i) => {
      const state = fromV2JobState(number);
      if (state === undefined) throw invalidRequest(`states[${i}] is not a job state: ${number}`);
      return state;
    }),
  );
}

/** How many items a page may have. Throws INVALID_ARGUMENT. */
export function pageSizeOf(pageSize: number): number {
  if (pageSize < 0) throw invalidRequest('page_size is negative');
  return pageSize === 0 ? DEFAULT_PAGE_SIZE : Math.min(pageSize, MAX_PAGE_SIZE);
}

/** Milliseconds; `undefined` where the request leaves it out. Throws INVALID_ARGUMENT. */
export function durationMs(field: string, duration: Duration | undefined): number | undefined {
  if (duration === undefined) return undefined;
  const ms = Number(duration.seconds) * 1_000 + duration.nanos / 1e6;
  if (!(ms >= 0)) throw invalidRequest(`${field} is negative`);
  return ms;
}

function requireCount(count: number): void {
  if (count === 0) throw invalidRequest(`refs is empty; name 1 to ${MAX_REFS} jobs`);
  if (count > MAX_REFS) {
    throw invalidRequest(
      `refs has ${count} jobs, more than the ${MAX_REFS} that one call may have; split the request`,
    );
  }
}
