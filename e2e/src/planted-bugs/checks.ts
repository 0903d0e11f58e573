import { JobsService } from '@ajs/contracts/api/job';
import { JobState } from '@ajs/contracts/api/submit';
import { RedisServer, jobEvents, armadaJob, unary } from '@ajs/testing';
import type { Client } from '@grpc/grpc-js';
import { Redis } from 'ioredis';
import type { App } from '../patched-build.js';
import { patiently } from '../patiently.js';
import { poll, pollCalmly, type Stack } from '../stack.js';
import { JOB, QUEUE, key, ref, withStack } from '../traffic.js';
import { buildTomorrow } from '../upgrade/tomorrow.js';

const tomorrow = await buildTomorrow('planted bugs');

/** Bundles to run in place of those in dist. */
export type Builds = Readonly<Partial<Record<App, string>>>;

/** Runs applications and rejects, by a failed assertion, where they do not do what they must. */
export type Check = (builds: Builds) => Promise<void>;

const logOf = (stack: Stack, set: number) => stack.armada.state.openLog(QUEUE, key(set).jobSetId);

/** So often is a write refused: another one than that of the event may have been. */
const REFUSALS = 5;

/** What Redis refused to write is written once it takes writes again, before anything newer. */
export const refusedWritesAreRetried: Check = async (builds) => {
  const redis = await RedisServer.start();
  const admin = new Redis(redis.url);
  const refused = async (): Promise<number> =>
    Number(/errorstat_OOM:count=(\d+)/.exec(await admin.info('errorstats'))?.[1] ?? 0);
  await withStack(redis, async (stack) => {
    await stack.ingester({}, builds.ingester);
    const { client } = await stack.query({}, builds.query);
    const log = logOf(stack, 0);
    const stateOf = async (job: number) => (await pollCalmly(client, key(0), ref(0, job).jobId)).state;
    for (let job = 0; job < 2 * REFUSALS; job++) log.append(jobEvents.running(ref(0, job), JOB));
    await patiently('all jobs are running', async () => (await stateOf(2 * REFUSALS - 1)) === 'RUNNING');
    for (let job = 0; job < 2 * REFUSALS; job += 2) {
      await admin.call('CONFIG', 'SET', 'maxmemory', '1mb');
      const before = await refused();
      log.append(jobEvents.succeeded(ref(0, job)));
      await patiently('Redis refuses a write', async () => (await refused()) > before);
      await admin.call('CONFIG', 'SET', 'maxmemory', '0');
      log.append(jobEvents.succeeded(ref(0, job + 1)));
      await patiently('a later event is written', async () => (await stateOf(job + 1)) === 'SUCCEEDED');
      expect(await stateOf(job)).toBe('SUCCEEDED');
    }
  }).finally(() => admin.disconnect());
};

/** A poll of a job set that is read on a schedule brings the next read forward. */
export const pollsBringTheNextReadForward: Check = async (builds) => {
  // The poll waits for less than until the next read on schedule.
  const onSchedule = {
    WATCH_BUDGET: '0',
    MIN_READ_INTERVAL: '60s',
    MAX_READ_INTERVAL: '60s',
    FIRST_POLL_WAIT: '20s',
  };
  await withStack(
    await RedisServer.start(),
    async (stack) => {
      await stack.ingester({}, builds.ingester);
      const { client } = await stack.query({}, builds.query);
      logOf(stack, 0).append(jobEvents.running(ref(0, 0), JOB));
      expect((await pollCalmly(client, key(0), ref(0, 0).jobId)).state).toBe('RUNNING');
      logOf(stack, 0).append(jobEvents.running(ref(0, 1), JOB));
      const answer = await pollCalmly(client, key(0), ref(0, 1).jobId);
      expect(answer).toMatchObject({ state: 'RUNNING', error: '' });
    },
    onSchedule,
  );
};

/** An ingester that is stopped hands its job sets over before it closes its connections to Redis. */
export const stoppingHandsOver: Check = async (builds) => {
  await withStack(await RedisServer.start(), async (stack) => {
    const stopped = await stack.ingester({}, builds.ingester);
    const { client } = await stack.query({}, builds.query);
    logOf(stack, 0).append(jobEvents.running(ref(0, 0), JOB));
    expect((await pollCalmly(client, key(0), ref(0, 0).jobId)).state).toBe('RUNNING');
    await stopped.logged('following a job set');
    const next = await stack.ingester({}, builds.ingester);
    stopped.signal('SIGTERM');
    expect(await stopped.ended()).toBe(0);
    expect(stopped.logs.filter(({ level }) => level !== 'info').map(({ msg }) => msg)).toEqual([]);
    await next.logged('following a job set');
  });
};

/** A query reads jobs as another build of it did that ran over the same Redis. */
export const storedJobsAreReadAsWritten: Check = async (builds) => {
  await withStack(await RedisServer.start(), async (stack) => {
    await stack.ingester({}, builds.ingester);
    const before = await stack.query();
    const running = armadaJob(ref(0, 0));
    stack.armada.state.move(running, JobState.LEASED, jobEvents.leased(running));
    expect((await pollCalmly(before.client, key(0), running.jobId)).state).toBe('SUBMITTED');
    const runsOf = async (client: Client) => {
      const request = { jobIds: [running.jobId], expandJobSpec: false, expandJobRun: true };
      const { answer } = await unary(client, JobsService.getJobDetails, request);
      return answer.jobDetails[running.jobId]?.jobRuns ?? [];
    };
    // The id of the run is known from Armada alone; from then on all is in Redis.
    const lookUps = (): number => stack.armada.calls.count('/api.Jobs/GetJobDetails');
    await patiently('the run is known without Armada', async () => {
      const lookUpsBefore = lookUps();
      return (await runsOf(before.client)).length > 0 && lookUps() === lookUpsBefore;
    });
    stack.armada.faults.set({ jobsUnavailable: true });
    stack.armada.state.move(running, JobState.RUNNING, [
      ...jobEvents.pending(running, JOB),
      ...jobEvents.running(running, JOB),
    ]);
    await patiently(
      'it runs',
      async () => (await pollCalmly(before.client, key(0), running.jobId)).state === 'RUNNING',
    );
    const written = await runsOf(before.client);
    expect(written).toHaveLength(1);
    expect(await runsOf((await stack.query({}, builds.query)).client)).toEqual(written);
  });
};

/** A job whose record a newer version wrote hides no other job, not even one that is polled in the same tick. */
export const unreadableRecordsHideNoNeighbour: Check = async (builds) => {
  await withStack(await RedisServer.start(), async (stack) => {
    await stack.ingester({}, tomorrow.ingester);
    const [sound, checked] = [await stack.query(), await stack.query({}, builds.query)];
    const [unreadable, neighbour] = [ref(0, 0), ref(0, 1)];
    for (const job of [unreadable, neighbour]) logOf(stack, 0).append(jobEvents.running(job, JOB));
    logOf(stack, 0).append(jobEvents.preempted(unreadable, 'Preempted by a better job').slice(0, -1));
    await patiently('the record is stored, and cannot be read', async () =>
      (await poll(sound.client, key(0), unreadable.jobId)).error.includes('newer version'),
    );
    const [, answer] = await Promise.all(
      [unreadable, neighbour].map(({ jobId }) => pollCalmly(checked.client, key(0), jobId)),
    );
    expect(answer).toMatchObject({ state: 'RUNNING', error: '' });
  });
};

const apiStateOf = async (client: Client, jobId: string): Promise<JobState | undefined> =>
  (await unary(client, JobsService.getJobStatus, { jobIds: [jobId] })).answer.jobStates[jobId];

/** How a job ended that Armada's `api.Jobs` alone knows is in Redis before it is answered. */
export const endsAreRecordedBeforeTheyAreReported: Check = async (builds) => {
  await withStack(await RedisServer.start(), async (stack) => {
    // No ingester runs: a poll of what is not in Redis waits in vain.
    const [asked, other] = [
      await stack.query({}, builds.query),
      await stack.query({ FIRST_POLL_WAIT: '2s' }),
    ];
    const job = armadaJob(ref(0, 0));
    stack.armada.faults.set({ eventsStopped: true });
    stack.armada.state.move(job, JobState.SUCCEEDED, [
      ...jobEvents.submitted(job, JOB),
      ...jobEvents.succeeded(job),
    ]);
    expect(await apiStateOf(asked.client, job.jobId)).toBe(JobState.SUCCEEDED);
    stack.armada.faults.set({ eventsStopped: true, jobsUnavailable: true });
    expect((await pollCalmly(other.client, key(0), job.jobId)).state).toBe('SUCCEEDED');
  });
};

/** A state that Armada's `api.Jobs` reported stays while the event stream has not come as far. */
export const reportedStatesAreKept: Check = async (builds) => {
  await withStack(await RedisServer.start(), async (stack) => {
    const query = await stack.query();
    const job = armadaJob(ref(0, 0));
    const first = [...jobEvents.submitted(job, JOB), ...jobEvents.leased(job)];
    stack.armada.faults.set({ eventsStopped: true });
    stack.armada.state.move(job, JobState.RUNNING, [...first, ...jobEvents.running(job, JOB)]);
    expect(await apiStateOf(query.client, job.jobId)).toBe(JobState.RUNNING);
    // The stream has come as far as the lease.
    logOf(stack, 0).append(first);
    await stack.ingester({}, builds.ingester);
    const answer = await patiently('the job set is synced', async () => {
      const polled = await pollCalmly(query.client, key(0), job.jobId);
      return polled.trailers.get('armada-job-set-synced-at').length > 0 && polled;
    });
    expect(answer.state).toBe('RUNNING');
  });
};
