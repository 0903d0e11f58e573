import { armadaNow } from '@ajs/platform';
import { JobId, addMs } from '@ajs/job-state';
import { anonymous, withoutTls } from '@ajs/armada-credentials';
import { createArmadaClient, type ArmadaClient } from '@ajs/armada-client';
import { JobState } from '@ajs/contracts/api/submit';
import { RedisJobLister, RedisJobSink, createRedisClient, type RedisClient } from '@ajs/job-store';
import {
  BatchPacer,
  JobSetReflector,
  NoApiJobsError,
  REFLECTOR_TIMING,
  Reconciler,
} from '@ajs/subscriptions';
import { FakeArmada, RedisServer, eventually, jobEvents, armadaJob } from '@ajs/testing';
import { ArmadaTerminalStates } from './armada-terminal-states.js';

const KEY = { queue: 'q', jobSetId: 's' };
const LOST = JobId('01m85vnck01jqpr3vd00000001');
const RUNNING = JobId('01m85vnck01jqpr3vd00000002');
const HOURS = 3_600_000;
const ignore = (): void => undefined;

let fake: FakeArmada;
let armada: ArmadaClient;
let server: RedisServer;
let redis: RedisClient;

beforeEach(async () => {
  fake = new FakeArmada();
  const address = await fake.listen('127.0.0.1:0');
  armada = createArmadaClient({
    transport: withoutTls(address),
    identity: anonymous,
    maxMessageBytes: 1_000_000,
    callsPerSecond: 1_000,
  });
  server = await RedisServer.start();
  redis = createRedisClient({ kind: 'single', url: server.url }, 'writer', ignore);
});

afterEach(async () => {
  armada.close();
  fake.stop();
  redis.disconnect();
  await server.stop();
});

/** A job that runs according to its stream; only `api.Jobs` knows its later state. */
function aJob(jobId: string, state: JobState, error = '', cancelReason = ''): void {
  const job = armadaJob({ jobId, ...KEY }, { cancelReason });
  fake.state.move(job, JobState.RUNNING, [
    ...jobEvents.leased(job),
    ...jobEvents.running(job, { namespace: 'ns', annotations: {} }),
  ]);
  fake.state.move(job, state, [], error);
}

describe('terminal states from Armada’s api.Jobs', () => {
  it('are those of terminal jobs, with their reasons', async () => {
    aJob('failed', JobState.FAILED, 'exit 7');
    aJob('refused', JobState.REJECTED, 'does not fit');
    aJob('preempted', JobState.PREEMPTED);
    aJob('done', JobState.SUCCEEDED);
    aJob('cancelled', JobState.CANCELLED, '', 'enough');
    aJob('running', JobState.RUNNING, 'first run');
    const ids = ['failed', 'refused', 'preempted', 'done', 'cancelled', 'running', 'unknown'].map(JobId);
    const times = { at: expect.any(Number) as unknown, leasedAt: expect.any(Number) as unknown };
    expect(Object.fromEntries(await new ArmadaTerminalStates(armada.jobs).terminalStatesOf(ids))).toEqual({
      failed: { state: 'FAILED', ...times, failure: { reason: 'exit 7' } },
      refused: { state: 'REJECTED', ...times, failure: { reason: 'does not fit' } },
      preempted: { state: 'PREEMPTED', ...times, failure: { reason: '' } },
      done: { state: 'SUCCEEDED', ...times },
      cancelled: { state: 'CANCELLED', ...times, cancellation: { reason: 'enough', requestor: '' } },
    });
  });

  it('cannot be had from an Armada without api.Jobs, and can be later from one that is unavailable', async () => {
    fake.faults.set({ jobsUnimplemented: true });
    await expect(new ArmadaTerminalStates(armada.jobs).terminalStatesOf([JobId('job')])).rejects.toThrow(
      NoApiJobsError,
    );
    fake.faults.set({ jobsUnavailable: true });
    await expect(new ArmadaTerminalStates(armada.jobs).terminalStatesOf([JobId('job')])).rejects.not.toThrow(
      NoApiJobsError,
    );
  });

  it('repair the jobs whose event stream lacks them', async () => {
    aJob(LOST, JobState.FAILED, 'exit 7');
    aJob(RUNNING, JobState.RUNNING);
    const repaired: string[] = [];
    const reflector = new JobSetReflector({
      key: KEY,
      sink: new RedisJobSink(redis, {
        ttlSeconds: 1_000,
        onLost: ignore,
        onKept: ignore,
        onUnreadable: ignore,
      }),
      source: armada.events({ unknownKind: ignore, malformed: ignore }),
      lease: { isHeld: () => true, whenHeld: () => Promise.resolve() },
      quota: {
        isWatched: true,
        isForgotten: () => Promise.resolve(false),
        admitRead: () => Promise.resolve(),
        nextStep: () => Promise.resolve('watch'),
        releaseWatch: ignore,
        scheduleRead: (ms) => ms,
      },
      observer: {
        eventsLag: ignore,
        streamEnded: ignore,
        messageSkipped: ignore,
        batchWritten: ignore,
        reloading: ignore,
        staleWriter: ignore,
        writeFailed: ignore,
      },
      reconciler: new Reconciler({
        armada: new ArmadaTerminalStates(armada.jobs),
        observer: {
          repaired: (_, jobIds) => repaired.push(...jobIds),
          roundEnded: ignore,
          switchedOff: ignore,
        },
        unfinishedAfterMs: 6 * HOURS,
        eventRetentionMs: 14 * 24 * HOURS,
        // The jobs started just now, by Armada's clock.
        now: () => addMs(armadaNow(), 7 * HOURS),
      }),
      pacer: new BatchPacer(),
      timing: REFLECTOR_TIMING,
    });
    const done = reflector.run();
    await eventually('a job is repaired', () => repaired.length > 0);
    const { jobs } = await new RedisJobLister(redis).read(KEY, [LOST, RUNNING]);
    expect(jobs.get(LOST)).toMatchObject({ state: 'FAILED', failure: { reason: 'exit 7' } });
    expect(jobs.get(RUNNING)?.state).toBe('RUNNING');
    expect(repaired).toEqual([LOST]);
    reflector.stop();
    await done;
  });
});
