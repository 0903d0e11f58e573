import { JobStatusRequest, JobStatusResponse } from '@ajs/contracts/api/job';
import type { JobState } from '@ajs/contracts/api/submit';

/*
 * Request and response of `api.Jobs/GetJobStatus`, whose callers ask for hundreds of jobs in a call: a job costs no object on its way from
 * and to the wire. What is encoded in another way than clients of Armada do it is left to the generated code.
 */

/** The states of requested jobs. */
export interface JobStates {
  /** As they were requested: one may come several times. */
  readonly jobIds: readonly string[];
  /** Each at the place of its job. */
  readonly states: readonly JobState[];
}

/** Tag of `job_ids` in the request, of an entry of the map in the response, and of the key in that entry: field 1, a text. */
const TEXT_1 = (1 << 3) | 2;
/** Tag of the value in an entry of the map: field 2, a number. */
const NUMBER_2 = 2 << 3;
/** Numbers below this are one byte on the wire. */
const ONE_BYTE = 1 << 7;
/** What an entry has beside its key: the tags of key and value, the length of the key, the value. */
const ENTRY_BYTES = 4;

/** As `JobStatusRequest.decode`, which see for errors. */
export function decodeJobStatusRequest(bytes: Buffer): JobStatusRequest {
  const jobIds: string[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = bytes[at + 1] ?? ONE_BYTE;
    const end = at + 2 + length;
    if (bytes[at] !== TEXT_1 || length >= ONE_BYTE || end > bytes.length) {
      return JobStatusRequest.decode(bytes);
    }
    jobIds.push(bytes.toString('utf8', at + 2, end));
    at = end;
  }
  return { jobIds };
}

/** A `JobStatusResponse`. A state of 0 is written, too, as Go does it. */
export function encodeJobStates(answer: JobStates): Buffer {
  const { jobIds, states } = answer;
  const length = usualLength(answer);
  if (length === undefined) {
    return Buffer.from(JobStatusResponse.encode(toJobStatusResponse(answer)).finish());
  }
  const bytes = Buffer.allocUnsafe(length);
  let at = 0;
  for (let i = 0; i < jobIds.length; i++) {
    const key = bytes.write(jobIds[i] ?? '', at + 4);
    bytes[at] = TEXT_1;
    bytes[at + 1] = key + ENTRY_BYTES;
    bytes[at + 2] = TEXT_1;
    bytes[at + 3] = key;
    at += 4 + key;
    bytes[at] = NUMBER_2;
    bytes[at + 1] = states[i] ?? 0;
    at += 2;
  }
  return bytes;
}

/** How long a response is of which no length and no state takes more than a byte; `undefined` where one does. */
function usualLength({ jobIds, states }: JobStates): number | undefined {
  let length = 0;
  for (let i = 0; i < jobIds.length; i++) {
    const entry = Buffer.byteLength(jobIds[i] ?? '') + ENTRY_BYTES;
    const state = states[i] ?? 0;
    if (entry >= ONE_BYTE || state < 0 || state >= ONE_BYTE) return undefined;
    length += 2 + entry;
  }
  return length;
}

/** The states as the generated code has them; of a job that comes several times the last one. */
export function toJobStatusResponse({ jobIds, states }: JobStates): JobStatusResponse {
  return { jobStates: Object.fromEntries(states.map((state, i) => [jobIds[i] ?? '', state])) };
}
