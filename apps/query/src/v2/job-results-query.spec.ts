import { ArmadaTime, MonotonicTime, type JobRecord } from '@ajs/job-state';
import type { JobVersion } from '@ajs/job-store';
import { jobSetTag } from '@ajs/redis-keys';
import { UNRESTRICTED } from '../access/job-permissions.js';
import { FakeArmadaJobs } from '../jobs-api/testing/fake-armada-jobs.js';
import { testCaller } from '../testing/test-caller.js';
import { JobResultsQuery } from './job-results-query.js';
import type { Known } from './known-job.js';
import type { ShownJob } from './known-jobs.js';
import { requestedJobs } from './requests.js';
import { KEY, refOf } from './testing/v2-harness.js';

const LONG_AGO = MonotonicTime(-1_000_000);
const VERSION = { size: 0 } as JobVersion;
const SHOWN: ShownJob = {
  tag: jobSetTag(KEY),
  status: { state: 'SUCCEEDED', changedAt: ArmadaTime(1) },
  version: VERSION,
  readAt: LONG_AGO,
  encoded: new Uint8Array(),
};
const EVENT = { ms: 1, sequence: 0, index: 0, last: true };

/** What is kept of a job, for the next call that names it, once it was read as this. */
async function keptOf(known: Known): Promise<ShownJob[]> {
  const kept: ShownJob[] = [];
  const query = new JobResultsQuery({
    access: {
      toQueues: (_, queues) => Promise.resolve(new Map(queues.map((queue) => [queue, 'yes']))),
      toWatchedJobs: () => Promise.resolve(UNRESTRICTED),
    },
    lister: { locate: () => Promise.resolve(new Map()) },
    reader: {
      read: ({ jobs }, all) => {
        for (const job of jobs) all.set(job, known);
        return Promise.resolve();
      },
    },
    knownJobs: { keep: (_, shown) => kept.push(shown) },
    resolver: { resolve: () => Promise.resolve(new Map()) },
    armadaFor: () => new FakeArmadaJobs(),
    notFoundGraceMs: 0,
  });
  await query.runEncoded(requestedJobs([refOf('a')]), testCaller(), undefined, 0);
  return kept;
}

const read = (record: Partial<JobRecord>): Known => ({
  read: {
    record: { state: 'SUCCEEDED', runNumber: 1, changedAt: ArmadaTime(1), ...record },
    enrichment: {},
    version: VERSION,
    revision: 1,
  },
  key: KEY,
  tag: jobSetTag(KEY),
  freshness: undefined,
});
const shown = (isReadAgain: boolean): Known => ({
  shown: SHOWN,
  encoded: SHOWN.encoded,
  isReadAgain,
  freshness: undefined,
});

describe('a job is kept for the next call that names it', () => {
  it('where its stream has shown it as it is, and neither where it is provisional nor where it was reported', async () => {
    expect(await keptOf(read({ lastEvent: EVENT }))).toMatchObject([{ status: { state: 'SUCCEEDED' } }]);
    expect(await keptOf(read({}))).toEqual([]);
    expect(await keptOf(read({ lastEvent: EVENT, reported: {} }))).toEqual([]);
  });

  it('for another minute where it was read again, and not where it was shown without being read', async () => {
    const [again] = await keptOf(shown(true));
    expect(again?.readAt ?? LONG_AGO).not.toBe(LONG_AGO);
    expect(await keptOf(shown(false))).toEqual([]);
  });
});
