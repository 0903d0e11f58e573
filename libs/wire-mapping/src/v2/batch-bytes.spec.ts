import {
  BatchGetJobsRequest,
  BatchGetJobsResponse,
  JobRef,
  type Job,
} from '@ajs/contracts/jobservice/v2/job_status_service';
import { ArmadaTime, Cursor, JobId } from '@ajs/job-state';
import {
  decodeBatchGetJobsRequest,
  decodeJobResult,
  encodeJobResult,
  encodeJobResults,
  encodeRef,
} from './batch-bytes.js';
import { toAbsentResult, toFreshness, toJobResult } from './to-job-result.js';
import { toV2Job } from './to-job.js';

const ULID = '01m85vrgp7abcdefghjkmnpqrs';
const ref = (jobId: string, jobSet = 's', queue = 'q'): JobRef => ({ queue, jobSet, jobId });
const byId = (jobId: string): JobRef => ref(jobId, '', '');

const requestOf = (refs: readonly JobRef[], maxAge?: BatchGetJobsRequest['maxAge']): Buffer =>
  Buffer.from(BatchGetJobsRequest.encode({ refs: [...refs], maxAge }).finish());

const NONE = (): undefined => undefined;

describe('a request of BatchGetJobs', () => {
  it.each<[string, JobRef[]]>([
    ['of one job set', [ref('a'), ref('b'), ref(ULID)]],
    ['of several job sets', [ref('a'), ref('b', 't'), ref('c', 's'), ref('d', 's', 'r')]],
    ['by their ids alone, and not', [byId('a'), byId('b'), ref('c'), byId('d'), ref('e')]],
    ['of none', []],
    [
      'with names that begin as others do',
      [ref('a', 'set'), ref('b', 'set-2'), ref('c', 'set'), ref('d', 'se')],
    ],
    ['with names that are no ASCII', [ref('jöb-√2', 'sät'), ref('🦭', 'sät')]],
    ['without a queue, a job set or an id', [ref('a', 's', ''), ref('a', '', 'q'), ref(''), byId('')]],
    ...[118, 119, 120, 127, 128, 300, 1_024].map((length): [string, JobRef[]] => [
      `with a name of ${length} bytes`,
      [ref('a', 'x'.repeat(length)), ref('b', 'x'.repeat(length)), ref('x'.repeat(length))],
    ]),
  ])('is read as the generated code reads it: refs %s', (_, refs) => {
    expect(decodeBatchGetJobsRequest(requestOf(refs), NONE)).toEqual({ refs, maxAge: undefined });
    const maxAge = { seconds: '5', nanos: 1 };
    expect(decodeBatchGetJobsRequest(requestOf(refs, maxAge), NONE)).toEqual({ refs, maxAge });
    const known = new Map(refs.map((ref) => [encodeRef(ref), { known: ref }]));
    for (const age of [undefined, maxAge]) {
      expect(decodeBatchGetJobsRequest(requestOf(refs, age), (ref) => known.get(ref))).toEqual({
        refs: refs.map((ref) => ({ known: ref })),
        maxAge: age,
      });
    }
  });

  it('has what is known in the place of a ref, among others that are decoded', () => {
    const known = encodeRef(ref('b'));
    const find = (encoded: string): string | undefined => (encoded === known ? 'b is known' : undefined);
    expect(decodeBatchGetJobsRequest(requestOf([ref('a'), ref('b'), byId('b')]), find).refs).toEqual([
      ref('a'),
      'b is known',
      byId('b'),
    ]);
  });

  it.each([
    ['a field of a newer version', '1a03616263'],
    ['a length in more bytes than it needs', '0a8600 0a0171 1a016a'],
    ['a length of a name in more bytes than it needs', '0a07 0a810071 1a016a'],
    ['a ref in another order', '0a09 1a016a 0a0171 120173'],
    ['a ref with a field of a newer version', '0a08 0a0171 1a016a 2001'],
    ['text that is not UTF-8', '0a08 0a0271ff 1a02ff6a'],
    ['an end of group, which ends the message', '0c'],
  ])('is read as the generated code reads it: with %s', (_, hex) => {
    const more = Buffer.from(hex.replaceAll(' ', ''), 'hex');
    const bytes = Buffer.concat([requestOf([ref('a')]), more, requestOf([ref('b')])]);
    expect(decodeBatchGetJobsRequest(bytes, NONE)).toEqual(BatchGetJobsRequest.decode(bytes));
  });

  it('is read as the generated code reads it: with a ref whose length takes three bytes', () => {
    const longest = ref('x'.repeat(16_375));
    expect(JobRef.encode(longest).finish()).toHaveLength(2 ** 14);
    const refs = [ref('a'), longest, ref('b')];
    expect(decodeBatchGetJobsRequest(requestOf(refs), NONE)).toEqual({ refs, maxAge: undefined });
  });

  it('throws where it is cut off', () => {
    const bytes = requestOf([ref(ULID), ref('other'), ref('b', 't')]);
    const ends = [requestOf([ref(ULID)]).length, requestOf([ref(ULID), ref('other')]).length];
    for (let length = 1; length < bytes.length; length++) {
      if (!ends.includes(length))
        expect(() => decodeBatchGetJobsRequest(bytes.subarray(0, length), NONE)).toThrow();
    }
  });
});

describe('a response of BatchGetJobs', () => {
  const KEY = { queue: 'q', jobSetId: 's' };
  const job = (jobId: string, key = KEY, reason = 'why'): Job =>
    toV2Job(
      JobId(jobId),
      key,
      { state: 'FAILED', runNumber: 1, changedAt: ArmadaTime(1_000), failure: { reason }, run: {} },
      {},
    );
  const fresh = toFreshness({ state: 'live', reason: '' }, Cursor('1:2:3:0'));
  const stale = toFreshness({ state: 'stalled', reason: 'why' }, Cursor('1:2:3:0'));
  const long = { queue: 'q', jobSetId: 'x'.repeat(1_000) };

  it.each([
    ['none', []],
    ['jobs of one read', [toJobResult(ref('a'), job('a'), fresh), toJobResult(ref('b'), job('b'), fresh)]],
    [
      'jobs of several reads',
      [toJobResult(ref('a'), job('a'), fresh), toJobResult(ref('b'), job('b'), stale)],
    ],
    ['a job that was named by its id', [toJobResult(byId('a'), job('a'), undefined)]],
    ['a job of a long name', [toJobResult(ref('a', long.jobSetId), job('a', long), fresh)]],
    [
      'jobs with reasons of any length',
      [...Array(140).keys(), 4_096].map((length) =>
        toJobResult(ref('a'), job('a', KEY, 'x'.repeat(length)), fresh),
      ),
    ],
    [
      'a job that is absent among others',
      [toJobResult(ref('a'), job('a'), fresh), toAbsentResult(ref('b'), 'not-found', 'why', fresh)],
    ],
  ])('is as the generated code encodes it: %s', (_, results) => {
    const encoded = results.map((result) => ({
      encoded: encodeJobResult(result),
      freshness: result.freshness,
    }));
    const bytes = Buffer.from(BatchGetJobsResponse.encode({ results }).finish());
    expect(encodeJobResults(encoded)).toEqual(bytes);
    expect(encodeJobResults(encoded, 5).subarray(5)).toEqual(bytes);
    expect(encoded.map(decodeJobResult)).toEqual(results);
  });
});
