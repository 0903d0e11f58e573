import { setTimeout as sleep } from 'node:timers/promises';
import {
  ArmadaTime,
  Cursor,
  type JobId,
  type JobRecord,
  type JobSetKey,
  type JobState,
} from '@ajs/job-state';
import { RedisJobSink, type JobSetWriter, type RedisClient } from '@ajs/job-store';
import { monotonicNow } from '@ajs/platform';
import { QUEUE } from './fake-events.js';
import { jobIdOf } from './jobs.js';

const BATCH = 500;
/** As an ingester writes to a job set in which nothing happens. Milliseconds. */
const HEARTBEAT_EVERY_MS = 3_000;
/** How often what is due is written. Milliseconds. */
const TICK_MS = 10;

/** One change of a job. */
export interface Change {
  readonly set: number;
  readonly jobId: JobId;
  readonly state: JobState;
}

/** Job sets without an ingester: written, kept alive and changed by the benchmark. All jobs run at first. */
export class ChangingJobs {
  private written = 1;
  private readonly lastWrites = new Map<number, Promise<void>>();
  private readonly heartbeats = setInterval(() => void this.heartbeat(), HEARTBEAT_EVERY_MS);

  private constructor(
    private readonly writers: readonly JobSetWriter[],
    private readonly jobs: number,
    private readonly firstNumber: number,
  ) {}

  /** @param firstNumber of the jobs, so that several of these have other jobs and job sets */
  static async open(
    redis: RedisClient,
    {
      jobSets,
      jobs,
      firstNumber = 0,
    }: { readonly jobSets: number; readonly jobs: number; readonly firstNumber?: number },
  ): Promise<ChangingJobs> {
    const sink = new RedisJobSink(redis, {
      ttlSeconds: 86_400,
      onLost: () => undefined,
      onKept: () => undefined,
      onUnreadable: () => undefined,
    });
    const keys = Array.from({ length: jobSets }, (_, set) => ({
      queue: QUEUE,
      jobSetId: `changing-${firstNumber + set}`,
    }));
    const changing = new ChangingJobs(
      await Promise.all(keys.map((key) => sink.open(key))),
      jobs,
      firstNumber,
    );
    for (const set of keys.keys()) {
      for (let from = 0; from < jobs; from += BATCH) {
        const some = changing.jobIds(set).slice(from, from + BATCH);
        await changing.write(
          set,
          some.map((jobId) => [jobId, 'RUNNING'] as const),
        );
      }
    }
    return changing;
  }

  keyOf(set: number): JobSetKey {
    const key = this.writers[set]?.key;
    if (key === undefined) throw new Error(`there is no job set ${set}`);
    return key;
  }

  jobIds(set: number): JobId[] {
    return Array.from({ length: this.jobs }, (_, n) => jobIdOf(this.firstNumber + set * this.jobs + n));
  }

  /** Writes new states of jobs with one write, when the one before has ended. */
  write(set: number, states: readonly (readonly [JobId, JobState])[]): Promise<void> {
    const before = this.lastWrites.get(set) ?? Promise.resolve();
    const write = before.then(() => this.writeNow(set, states));
    this.lastWrites.set(set, write);
    return write;
  }

  /** Makes so many changes a second, those of a job set that are due together with one write. Resolves once all are written. */
  async change(
    changes: readonly Change[],
    perSecond: number,
    onWrite: (changes: readonly Change[]) => void,
  ): Promise<void> {
    const began = performance.now();
    const writes: Promise<void>[] = [];
    let done = 0;
    while (done < changes.length) {
      const due = Math.min(changes.length, Math.ceil(((performance.now() - began) * perSecond) / 1_000));
      const bySet = new Map<number, [JobId, JobState][]>();
      for (const { set, jobId, state } of changes.slice(done, due)) {
        const states = bySet.get(set) ?? [];
        bySet.set(set, states);
        states.push([jobId, state]);
      }
      onWrite(changes.slice(done, due));
      for (const [set, states] of bySet) writes.push(this.write(set, states));
      done = due;
      await sleep(TICK_MS);
    }
    await Promise.all(writes);
  }

  close(): void {
    clearInterval(this.heartbeats);
  }

  private async writeNow(set: number, states: readonly (readonly [JobId, JobState])[]): Promise<void> {
    const n = this.written++;
    await this.writers[set]?.write({
      cursor: Cursor(`${n}:0:0:1`),
      records: new Map(states.map(([jobId, state]) => [jobId, recordOf(state, n)])),
      subscription: { state: 'live', reason: '', syncedAt: monotonicNow() },
    });
  }

  private async heartbeat(): Promise<void> {
    await Promise.all(Array.from(this.writers, (_, set) => this.write(set, [])));
  }
}

function recordOf(state: JobState, n: number): JobRecord {
  const ms = 1_795_493_000_000 + n;
  return {
    state,
    runNumber: 1,
    changedAt: ArmadaTime(ms),
    lastEvent: { ms, sequence: 0, index: 0, last: true },
    submittedAt: ArmadaTime(1_795_492_000_000),
    namespace: 'default',
    run: {
      cluster: 'cluster-1',
      node: `node-${n % 40}.example.com`,
      leasedAt: ArmadaTime(1_795_492_500_000),
      runningAt: ArmadaTime(1_795_492_600_000),
      ...(state === 'SUCCEEDED' && { endedAt: ArmadaTime(ms) }),
    },
  };
}
