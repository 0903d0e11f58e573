import fc from 'fast-check';
import {
  Generation,
  INTEREST_SHARDS,
  JOB_INDEX_GROUPS,
  OWNER_CHANNELS,
  READ_REQUESTS_CHANNEL,
  VerdictDigest,
  WORK_QUEUE_PREFIX,
  changesChannel,
  interestShard,
  formatKey,
  jobSetTag,
  parseJobSetTag,
  parseKey,
  shardOf,
  type RedisKey,
} from './index.js';

const name = fc.oneof(fc.string({ unit: 'binary' }), fc.stringMatching(/^[a{}/:%2FB-]{0,8}$/));
const jobSet = fc.record({ queue: name, jobSetId: name });
const generation = fc.stringMatching(/^[A-Za-z0-9_-]{11}$/).map(Generation);
const shard = fc.nat(32_767);
const group = fc.nat(JOB_INDEX_GROUPS.length - 1);
const anyKey: fc.Arbitrary<RedisKey> = fc.oneof(
  fc.record({ kind: fc.constantFrom('meta', 'watched'), jobSet }),
  fc.record({ kind: fc.constant('bucket' as const), jobSet, generation, bucket: fc.nat() }),
  fc.record({
    kind: fc.constantFrom('failure-details', 'strings', 'uris', 'submitted-uris', 'enrichment'),
    jobSet,
    generation,
  }),
  fc.record({ kind: fc.constantFrom('former-job-index', 'interest', 'rollback', 'probe'), shard }),
  fc.record({ kind: fc.constant('job-index' as const), group }),
  fc.record({ kind: fc.constantFrom('job-index-jobs', 'job-index-sets'), group, bucket: fc.nat() }),
  fc.record({
    kind: fc.constant('former-job-set-name' as const),
    reference: fc.stringMatching(/^[0-9a-f]{12}$/),
  }),
  fc.record({
    kind: fc.constant('verdict' as const),
    digest: fc.stringMatching(/^[0-9a-f]{64}$/).map(VerdictDigest),
  }),
  fc.constantFrom({ kind: 'replicas' as const }, { kind: 'sweeper' as const }),
);

describe('keys', () => {
  it('are read back as what they were written from', () => {
    fc.assert(fc.property(anyKey, (key) => expect(parseKey(formatKey(key))).toEqual(key)));
  });

  it('never collide', () => {
    fc.assert(
      fc.property(anyKey, anyKey, (a, b) => {
        fc.pre(JSON.stringify(a) !== JSON.stringify(b));
        expect(formatKey(a)).not.toBe(formatKey(b));
      }),
    );
  });

  it('of one job set share one hash tag, the whole of it, whatever the names hold', () => {
    fc.assert(
      fc.property(jobSet, generation, (set, gen) => {
        const tags = [
          formatKey({ kind: 'meta', jobSet: set }),
          formatKey({ kind: 'bucket', jobSet: set, generation: gen, bucket: 7 }),
          changesChannel(set),
        ].map((key) => /\{([^}]*)\}/.exec(key)?.[1]);
        expect(tags).toEqual(Array(3).fill(jobSetTag(set)));
      }),
    );
  });

  it.each([
    '',
    'ajs:',
    'ajs:{a}:meta',
    'ajs:{a/b/c}:meta',
    'ajs:{a/b%7}:meta',
    'ajs:{a/b}:g:x',
    'ajs:{a/b}:g:d0',
    'ajs:{a/b}:metadata',
    'other:ajs:{a/b}:meta',
    'other:ajs:sweeper',
    'ajs:sweeper2',
    'ajs:jobs:01',
    'ajs:index:{18}:j',
    'ajs:index:{18}:j01',
    'ajs:index:{19}:meta',
    'bull:x',
  ])('of other applications (%j) are not read', (text) => expect(parseKey(text)).toBeUndefined());
});

describe('job set tags', () => {
  it('keep the two parts apart', () => {
    expect(jobSetTag({ queue: 'a/b', jobSetId: 'c' })).not.toBe(jobSetTag({ queue: 'a', jobSetId: 'b/c' }));
  });

  it('leave plain names readable', () => {
    expect(jobSetTag({ queue: 'lab', jobSetId: 'manual__2026-11-24' })).toBe('lab/manual__2026-11-24');
  });

  it.each(['', 'a', 'a/b/', 'a/b/c', 'a%2/b', 'a:b/c', 'a%61/b'])(
    'refuse %j, which is never written',
    (text) => {
      expect(parseJobSetTag(text)).toBeUndefined();
    },
  );
});

it('everything of this service in Redis is under one of two prefixes, which rights are given for', () => {
  expect([WORK_QUEUE_PREFIX, READ_REQUESTS_CHANNEL, OWNER_CHANNELS]).toEqual([
    '{ajs}',
    'ajs:read-requests',
    'ajs:owner:',
  ]);
  fc.assert(fc.property(anyKey, (key) => expect(formatKey(key)).toMatch(/^ajs:/)));
});

it('a text stays in its shard: what is stored is found by it', () => {
  expect(['', 'lab/run-1', 'ü/\ud800'].map((text) => shardOf(text, 32_768))).toEqual([7_621, 7_768, 7_348]);
});

it('interest is spread over all its shards', () => {
  const shards = new Set(
    Array.from({ length: 1000 }, (_, i) => interestShard({ queue: 'q', jobSetId: `run-${i}` })),
  );
  expect(shards.size).toBe(INTEREST_SHARDS);
});
