import { JobStatusRequest, JobStatusResponse } from '@ajs/contracts/api/job';
import { JobState } from '@ajs/contracts/api/submit';
import { decodeJobStatusRequest, encodeJobStates } from './job-status-bytes.js';

const ULID = '01m85vrgp7abcdefghjkmnpqrs';
const IDS = [
  ['ULIDs', [ULID, ULID.replace('a', 'b')]],
  ['none', []],
  ['an empty one', ['']],
  ['one that is not ASCII', ['jöb-√2', '🦭', ULID]],
  ['one that comes twice', [ULID, 'other', ULID]],
  ['a long one that ends as the next one begins', [`${'x'.repeat(127)}\n`, '123456789']],
  ...[123, 124, 127, 128, 300].map((length) => [`one of ${length} bytes`, ['x'.repeat(length)]] as const),
] as const;

const requestOf = (jobIds: readonly string[]): Buffer =>
  Buffer.from(JobStatusRequest.encode({ jobIds: [...jobIds] }).finish());

describe('a request of GetJobStatus', () => {
  it.each(IDS)('is read as the generated code reads it: %s', (_, jobIds) => {
    expect(decodeJobStatusRequest(requestOf(jobIds))).toEqual({ jobIds });
  });

  it.each([
    ['fields of a newer version', [Buffer.from('1203616263', 'hex'), Buffer.from('1807', 'hex')]],
    ['a length in more bytes than it needs', [Buffer.from('0a8300616263', 'hex')]],
    ['text that is not UTF-8', [Buffer.from('0a03ff6162', 'hex')]],
    ['an end of group, which ends the message', [Buffer.from('0c', 'hex')]],
  ])('is read as the generated code reads it: with %s', (_, more) => {
    const bytes = Buffer.concat([requestOf([ULID]), ...more, requestOf(['other'])]);
    expect(decodeJobStatusRequest(bytes)).toEqual(JobStatusRequest.decode(bytes));
  });

  it('throws where it is cut off', () => {
    const bytes = requestOf([ULID, 'other']);
    for (const length of [1, 2, 10, 29, bytes.length - 1]) {
      expect(() => decodeJobStatusRequest(bytes.subarray(0, length))).toThrow();
    }
  });
});

describe('a response of GetJobStatus', () => {
  it.each(IDS)('is what the generated code makes a map of: %s', (_, jobIds) => {
    const states = jobIds.map((jobId) => (jobId === ULID ? JobState.QUEUED : JobState.REJECTED));
    const bytes = encodeJobStates({ jobIds, states });
    const expected = jobIds.map((jobId, i) => [jobId, states[i]] as const);
    expect(JobStatusResponse.decode(bytes).jobStates).toEqual(Object.fromEntries(expected));
  });

  it.each([127, 128, 2 ** 31 - 1, -1])('has a state of a newer Armada as it came: %i', (state) => {
    const bytes = encodeJobStates({ jobIds: [ULID, 'other'], states: [state as JobState, JobState.FAILED] });
    expect(JobStatusResponse.decode(bytes).jobStates).toEqual({ [ULID]: state, other: JobState.FAILED });
  });
});
