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
  const keys = jobIds.map((jobId) => Buffer.byteLength(jobId));
  const isUsual =
    keys.every((key) => key + ENTRY_BYTES < ONE_BYTE) &&
    states.every((state) => state >= 0 && state < ONE_BYTE);
  if (!isUsual) return Buffer.from(JobStatusResponse.encode(toJobStatusResponse(answer)).finish());
  const bytes = Buffer.allocUnsafe(keys.reduce((length, key) => length + 2 + key + ENTRY_BYTES, 0));
  let at = 0;
  const byte = (value: number): void => void (bytes[at++] = value);
  states.forEach((state, i) => {
    const [jobId = '', key = 0] = [jobIds[i], keys[i]];
    byte(TEXT_1);
    byte(key + ENTRY_BYTES);
    byte(TEXT_1);
    byte(key);
    at += bytes.write(jobId, at);
    byte(NUMBER_2);
    byte(state);
  });
  return bytes;
}

/** The states as the generated code has them; of a job that comes several times the last one. */
export function toJobStatusResponse({ jobIds, states }: JobStates): JobStatusResponse {
  return { jobStates: Object.fromEntries(states.map((state, i) => [jobIds[i] ?? '', state])) };
}
