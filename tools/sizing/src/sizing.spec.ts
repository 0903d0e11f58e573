import { loadSettings } from '@ajs/config';
import fc from 'fast-check';
import { LIMITS, sizingOf, type Load, type Sizing } from './sizing.js';
import { sizingTable } from './table.js';

const SMALL: Load = {
  jobSets: 50,
  activeJobSets: 50,
  jobsPerSecond: 1,
  eventsPerJob: 6,
  failedShare: 0.05,
  externalUriShare: 1,
  retentionSeconds: 90_000,
  polledJobsPerSecond: 20,
  jobsPerCall: 1,
  waits: 0,
  streams: 0,
};

const load: fc.Arbitrary<Load> = fc
  .record({
    jobSets: fc.integer({ min: 1, max: 200_000 }),
    activeShare: fc.double({ min: 0, max: 1, noNaN: true }),
    jobsPerSecond: fc.double({ min: 0, max: 10_000, noNaN: true }),
    eventsPerJob: fc.integer({ min: 1, max: 20 }),
    failedShare: fc.double({ min: 0, max: 1, noNaN: true }),
    externalUriShare: fc.double({ min: 0, max: 1, noNaN: true }),
    retentionSeconds: fc.integer({ min: 60, max: 1_000_000 }),
    polledJobsPerSecond: fc.double({ min: 0, max: 1_000_000, noNaN: true }),
    jobsPerCall: fc.integer({ min: 1, max: 500 }),
    waits: fc.nat(500_000),
    streams: fc.nat(50_000),
  })
  .map(({ activeShare, ...rest }) => ({ ...rest, activeJobSets: Math.floor(rest.jobSets * activeShare) }));

/** What a machine for it has to have in all. */
const totals = ({ ingester, query, redis }: Sizing): number[] => [
  ...[ingester, query].flatMap(({ replicas, milliCores, memoryMib }) => [
    replicas,
    (replicas - 1) * milliCores,
    (replicas - 1) * memoryMib,
  ]),
  redis.maxmemoryMib,
  redis.milliCores,
];

it('a small installation has two of each process, which take over from each other, and a small Redis', () => {
  expect(sizingOf(SMALL)).toEqual({
    ingester: { replicas: 2, milliCores: 100, memoryMib: 512 },
    query: { replicas: 2, milliCores: 100, memoryMib: 512 },
    redis: { jobs: 90_000, maxmemoryMib: 64, memoryMib: 128, milliCores: 100 },
    armada: { watches: 50, readsPerSecond: 0, readEverySeconds: 0 },
    warnings: [],
  });
});

it('a large one is sized by what was measured', () => {
  const large = {
    ...SMALL,
    jobSets: 20_000,
    activeJobSets: 500,
    jobsPerSecond: 1_000,
    polledJobsPerSecond: 10_000,
    waits: 30_000,
  };
  expect(sizingOf(large)).toEqual({
    // 6,000 events of 75 us and 200 reads of 2.5 ms are 0.95 cores: two, and one that may be away.
    ingester: { replicas: 3, milliCores: 500, memoryMib: 768 },
    // 10,000 calls of 116 us are 1.16 cores, and one caller may have 12,288 of the 30,000 waits at a replica.
    query: { replicas: 4, milliCores: 400, memoryMib: 640 },
    // 90 million jobs of 79 bytes, each with 260 more for its URI and 5 % of them with 200 for a failure, fill 29.3 GiB.
    redis: { jobs: 90_000_000, maxmemoryMib: 42_880, memoryMib: 85_760, milliCores: 300 },
    armada: { watches: 500, readsPerSecond: 200, readEverySeconds: 97.5 },
    warnings: [],
  });
});

it('more load never needs less', () => {
  const grows = fc.constantFrom(
    ...(['jobsPerSecond', 'eventsPerJob', 'failedShare', 'retentionSeconds', 'waits', 'streams'] as const),
  );
  fc.assert(
    fc.property(load, grows, fc.double({ min: 1, max: 10, noNaN: true }), (before, what, factor) => {
      const grown = { ...before, [what]: before[what] * factor };
      const [less, more] = [totals(sizingOf(before)), totals(sizingOf(grown))];
      // What is shared among more replicas is rounded up for each of them.
      less.forEach((value, i) => expect(more[i]).toBeGreaterThanOrEqual(value * 0.5));
      expect([more[0], more[3], more[6]].every((value, i) => (value ?? 0) >= (less[3 * i] ?? 0))).toBe(true);
    }),
  );
});

it('asks for whole numbers that Kubernetes and Redis take, whatever the load', () => {
  fc.assert(
    fc.property(load, (any) => {
      const sizing = sizingOf(any);
      for (const value of totals(sizing)) expect(Number.isSafeInteger(value) && value > 0).toBe(true);
      expect(sizing.armada.watches).toBeLessThanOrEqual(LIMITS.watchBudget);
      expect(sizing.armada.readsPerSecond).toBeLessThanOrEqual(LIMITS.readsPerSecond);
    }),
  );
});

it.each<[string, Partial<Load>, RegExp]>([
  [
    'more active job sets than watches',
    { jobSets: 800, activeJobSets: 800 },
    /^300 active job sets have no watch/,
  ],
  [
    'job sets that are read seldom',
    { jobSets: 50_000, activeJobSets: 0 },
    /^a quiet job set is read once in 250 s/,
  ],
  ['more job sets than are followed', { jobSets: 100_001, activeJobSets: 0 }, /MAX_JOB_SETS \(100000\)/],
  ['more than one Redis can do', { jobsPerSecond: 20_000 }, /Redis Cluster with 3 masters/],
])('warns of %s', (_, more, words) => {
  expect(sizingOf({ ...SMALL, ...more }).warnings.filter((warning) => words.test(warning))).toHaveLength(1);
});

it('the limits are the defaults of the settings', () => {
  const settings = loadSettings({ argv: [], env: {} });
  expect(LIMITS).toEqual({
    watchBudget: settings.watchBudget,
    readsPerSecond: settings.upstreamReadsPerSecond,
    maxJobSets: settings.maxJobSets,
    maxOpenWaits: settings.maxOpenWaits,
    maxOpenWatches: settings.maxOpenWatches,
    maxBufferedBytes: settings.maxBufferedBytes,
  });
});

it('is printed in four lines', () => {
  expect(sizingTable(sizingOf(SMALL)).split('\n')).toEqual([
    'ingester  2 replicas, one of them for when another is away; each requests 100m of CPU and is limited to 512 MiB',
    'query     2 replicas, one of them for when another is away; each requests 100m of CPU and is limited to 512 MiB',
    'Redis     90,000 jobs: maxmemory 64 MiB on a server with 128 MiB, 100m of CPU',
    'Armada    50 watches',
  ]);
});
