import type { JobSetKey } from '@ajs/job-state';
import fc from 'fast-check';
import {
  FORMER_JOB_INDEX_SHARDS,
  Generation,
  INTEREST_SHARDS,
  JOB_INDEX_GROUPS,
  PROBE_SHARDS,
  RedisKeys,
  VerdictDigest,
  interestShard,
  isKeyPrefix,
  jobSetTag,
  parseJobSetTag,
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
  fc.record({ kind: fc.constantFrom('former-job-index', 'interest', 'probe'), shard }),
  fc.record({ kind: fc.constant('job-index' as const), group }),
  fc.record({ kind: fc.constant('rollback' as const), group, replicaId: fc.string({ minLength: 1 }) }),
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

const prefix = fc.oneof(
  fc.constant(''),
  fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$/).filter(isKeyPrefix),
);
const names = prefix.map((text) => new RedisKeys(text));
/** Two deployments that share a Redis. */
const twoDeployments = fc
  .uniqueArray(prefix, { minLength: 2, maxLength: 2 })
  .map((both) => both.map((text) => new RedisKeys(text)) as [RedisKeys, RedisKeys]);

/** Every key of a deployment, and every channel. */
function everyName(of: RedisKeys, key: RedisKey, set: { queue: string; jobSetId: string }): string[] {
  return [
    of.format(key),
    of.changesChannel(set),
    of.ownerChannel('a'),
    of.readRequestsChannel,
    `${of.workQueuePrefix}:follow:id`,
  ];
}

/** Whether a pattern of Redis' ACL that holds no other wildcard than `*` is for a name. */
function isFor(pattern: string, name: string): boolean {
  const [begin = '', end = ''] = pattern.split('*');
  return name.startsWith(begin) && name.endsWith(end);
}

/** As Redis Cluster finds it: what stands between the first `{` and the next `}`. */
function hashTagOf(key: string): string | undefined {
  return /\{([^}]*)\}/.exec(key)?.[1];
}

describe('keys', () => {
  it('are read back as what they were written from', () => {
    fc.assert(fc.property(names, anyKey, (of, key) => expect(of.parse(of.format(key))).toEqual(key)));
  });

  it('never collide', () => {
    fc.assert(
      fc.property(names, anyKey, anyKey, (of, a, b) => {
        fc.pre(JSON.stringify(a) !== JSON.stringify(b));
        expect(of.format(a)).not.toBe(of.format(b));
      }),
    );
  });

  it('of one job set share one hash tag, the whole of it, whatever the names hold', () => {
    fc.assert(
      fc.property(names, jobSet, generation, (of, set, gen) => {
        const tags = [
          of.metaKey(set),
          of.format({ kind: 'bucket', jobSet: set, generation: gen, bucket: 7 }),
          of.changesChannel(set),
        ].map(hashTagOf);
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
  ])('of other applications (%j) are not read', (text) =>
    expect(new RedisKeys().parse(text)).toBeUndefined(),
  );

  it('stay as they are where there is no prefix: what is stored is found by them', () => {
    const keys = new RedisKeys();
    const set = { queue: 'q', jobSetId: 's' };
    const own = { jobSet: set, generation: Generation('g') };
    const digest = VerdictDigest('0f');
    expect([
      keys.metaKey(set),
      keys.format({ kind: 'meta', jobSet: set }),
      keys.format({ kind: 'watched', jobSet: set }),
      keys.format({ kind: 'bucket', ...own, bucket: 7 }),
      keys.format({ kind: 'failure-details', ...own }),
      keys.format({ kind: 'strings', ...own }),
      keys.format({ kind: 'uris', ...own }),
      keys.format({ kind: 'submitted-uris', ...own }),
      keys.format({ kind: 'enrichment', ...own }),
      keys.format({ kind: 'job-index', group: 0 }),
      keys.format({ kind: 'job-index-jobs', group: 0, bucket: 1 }),
      keys.format({ kind: 'job-index-sets', group: 0, bucket: 2 }),
      keys.format({ kind: 'former-job-index', shard: 3 }),
      keys.format({ kind: 'former-job-set-name', reference: 'ab' }),
      keys.format({ kind: 'interest', shard: 4 }),
      keys.format({ kind: 'rollback', group: 1, replicaId: 'host-1' }),
      keys.format({ kind: 'probe', shard: 6 }),
      keys.format({ kind: 'verdict', digest }),
      keys.format({ kind: 'replicas' }),
      keys.format({ kind: 'sweeper' }),
      keys.changesChannel(set),
      keys.ownerChannel('a'),
      keys.readRequestsChannel,
      keys.workQueuePrefix,
    ]).toEqual([
      'ajs:{q/s}:meta',
      'ajs:{q/s}:meta',
      'ajs:{q/s}:watched',
      'ajs:{q/s}:g:r7',
      'ajs:{q/s}:g:f',
      'ajs:{q/s}:g:d',
      'ajs:{q/s}:g:u',
      'ajs:{q/s}:g:s',
      'ajs:{q/s}:g:a',
      'ajs:index:{18}:meta',
      'ajs:index:{18}:j1',
      'ajs:index:{18}:s2',
      'ajs:jobs:3',
      'ajs:set:ab',
      'ajs:interest:4',
      'ajs:rollback:{1095}:host-1',
      'ajs:probe:6',
      'ajs:verdict:0f',
      'ajs:replicas',
      'ajs:sweeper',
      'ajs:{q/s}:changes',
      'ajs:owner:a',
      'ajs:read-requests',
      '{ajs}',
    ]);
  });
});

describe('the prefix of a deployment', () => {
  it('is what all its names begin with, and leaves hash tags as they are but for that of the work queue', () => {
    fc.assert(
      fc.property(prefix, anyKey, jobSet, (text, key, set) => {
        fc.pre(text !== '');
        const [plain, prefixed] = [new RedisKeys(), new RedisKeys(text)];
        const all = everyName(prefixed, key, set);
        const workQueue = all.pop();
        expect(all).toEqual(
          everyName(plain, key, set)
            .slice(0, -1)
            .map((each) => `${text}:${each}`),
        );
        expect(workQueue).toBe(`${text}:{${text}}:follow:id`);
      }),
    );
  });

  it('keeps its names apart from those of every other deployment, and out of the rights for them', () => {
    fc.assert(
      fc.property(twoDeployments, anyKey, anyKey, jobSet, jobSet, ([one, other], a, b, setA, setB) => {
        const [ours, theirs] = [everyName(one, a, setA), everyName(other, b, setB)];
        expect(ours.filter((each) => theirs.includes(each))).toEqual([]);
        expect(one.parse(other.format(b))).toBeUndefined();
        const rights = [
          one.keyPattern,
          `${one.workQueuePrefix}:*`,
          one.readRequestsChannel,
          `${one.ownerChannels}*`,
          one.changesChannels,
        ];
        expect(theirs.filter((each) => rights.some((pattern) => isFor(pattern, each)))).toEqual([]);
      }),
    );
  });

  it.each(['', 'a', 'Lab-2.eu_west', '0', 'ajs2', 'x'.repeat(32)])('may be %j', (text) =>
    expect(isKeyPrefix(text)).toBe(true),
  );

  it.each([
    'ajs',
    'a:',
    ':a',
    'a:b',
    '{a}',
    'a{',
    'a}',
    'a b',
    ' a',
    'a*',
    'a?',
    '[a]',
    'ä',
    '-a',
    'x'.repeat(33),
  ])('may not be %j', (text) => expect(isKeyPrefix(text)).toBe(false));
});

describe('job set tags', () => {
  it('keep the two parts apart', () => {
    expect(jobSetTag({ queue: 'a/b', jobSetId: 'c' })).not.toBe(jobSetTag({ queue: 'a', jobSetId: 'b/c' }));
  });

  it('leave plain names readable', () => {
    expect(jobSetTag({ queue: 'lab', jobSetId: 'manual__2026-11-24' })).toBe('lab/manual__2026-11-24');
  });

  it('are those of the job set that is asked for, whichever was asked for before', () => {
    const texts = ['a', 'b', ''];
    const sets = texts.flatMap((queue) => texts.map((jobSetId) => ({ queue, jobSetId })));
    for (const before of sets) {
      for (const set of sets) {
        expect(jobSetTag(before)).toBe(`${before.queue}/${before.jobSetId}`);
        expect(jobSetTag(set)).toBe(`${set.queue}/${set.jobSetId}`);
      }
    }
  });

  it.each(['', 'a', 'a/b/', 'a/b/c', 'a%2/b', 'a:b/c', 'a%61/b'])(
    'refuse %j, which is never written',
    (text) => {
      expect(parseJobSetTag(text)).toBeUndefined();
    },
  );
});

it('every key is in the pattern that rights are given for, or is one of the work queue', () => {
  fc.assert(fc.property(names, anyKey, (of, key) => expect(isFor(of.keyPattern, of.format(key))).toBe(true)));
});

it('a text stays in its shard: what is stored is found by it', () => {
  expect(['', 'lab/run-1', 'ü/\ud800'].map((text) => shardOf(text, 32_768))).toEqual([7_621, 7_768, 7_348]);
});

it('interest in job sets of one queue, and in those of one name, is spread over all its shards', () => {
  const shardsOf = (setAt: (i: number) => JobSetKey): number =>
    new Set(Array.from({ length: 1000 }, (_, i) => interestShard(setAt(i)))).size;
  expect(shardsOf((i) => ({ queue: 'q', jobSetId: `run-${i}` }))).toBe(INTEREST_SHARDS);
  expect(shardsOf((i) => ({ queue: `q-${i}`, jobSetId: 'run' }))).toBe(INTEREST_SHARDS);
});

it('what is spread stays where it is: numbers of shards and groups are part of what is stored', () => {
  expect([FORMER_JOB_INDEX_SHARDS, INTEREST_SHARDS, PROBE_SHARDS]).toEqual([32_768, 16, 16]);
  expect(interestShard({ queue: 'lab', jobSetId: 'run-1' })).toBe(8);
  expect(JOB_INDEX_GROUPS.map(({ tag }) => tag).join(' ')).toBe(
    '18 1095 333 223 553 443 95 663 265 375 908 155 625 735 405 515',
  );
});
