import { status } from '@grpc/grpc-js';
import { durationMs, jobSetKeyOf, pageSizeOf, requestedJobs } from './requests.js';
import { byId, refOf } from './testing/v2-harness.js';

const keyOf = (queue: string, jobSetId: string) => ({ queue, jobSetId });
const INVALID = { code: status.INVALID_ARGUMENT, reason: 'INVALID_REQUEST' };

it('each job has the job set that its ref names, whatever those before it name', () => {
  const keys = [keyOf('q', 's'), keyOf('q', 's'), keyOf('other', 's'), keyOf('other', 't'), keyOf('q', 't')];
  const refs = keys.map((key, i) => refOf(`j${i}`, key));
  const jobs = requestedJobs([...refs, byId('alone'), refOf('last', keyOf('q', 's'))]);
  expect(jobs.map(({ key }) => key)).toEqual([...keys, undefined, keyOf('q', 's')]);
  expect(jobs.map(({ tag }) => tag)).toEqual(['q/s', 'q/s', 'other/s', 'other/t', 'q/t', undefined, 'q/s']);
});

it('a request names 1 to 1,000 jobs', () => {
  const refs = Array.from({ length: 1_001 }, (_, i) => refOf(`j${i}`));
  expect(requestedJobs(refs.slice(0, 1_000))).toHaveLength(1_000);
  for (const wrong of [[], refs]) {
    expect(() => requestedJobs(wrong)).toThrow(expect.objectContaining(INVALID) as Error);
  }
});

it('the error for a name names the field, and the ref where there is one', () => {
  expect(() => requestedJobs([refOf('a'), { ...refOf('b'), queue: '' }])).toThrow('refs[1].queue is empty');
  expect(() => requestedJobs([refOf('a'), refOf('')])).toThrow('refs[1].job_id is empty');
  expect(() => jobSetKeyOf({ queue: 'q', jobSet: '' })).toThrow('job_set is empty');
});

it.each([
  [0, 100],
  [1, 1],
  [1_000, 1_000],
  [5_000, 1_000],
])('a page for page_size %i has up to %i items', (pageSize, expected) => {
  expect(pageSizeOf(pageSize)).toBe(expected);
});

it('a duration is in milliseconds, left out where the request leaves it out, and not negative', () => {
  expect(durationMs('max_wait', { seconds: '2', nanos: 500_000_000 })).toBe(2_500);
  expect(durationMs('max_wait', undefined)).toBeUndefined();
  for (const nanos of [-1, NaN]) {
    expect(() => durationMs('max_wait', { seconds: '0', nanos })).toThrow('max_wait is negative');
  }
});
