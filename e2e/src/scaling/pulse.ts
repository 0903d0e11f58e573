import { setTimeout as sleep } from 'node:timers/promises';
import { jobEvents, type FakeArmada, type JobRef } from '@ajs/testing';
import type { Client } from '@grpc/grpc-js';
import { jobIdFor } from '../job-ids.js';
import { patiently } from '../patiently.js';
import { poll, pollCalmly } from '../stack.js';
import { JOB, QUEUE } from '../traffic.js';

const BEAT_MS = 600;
/** So many beats before it starts, a job is submitted. */
const AHEAD = 40;
const TICK_MS = 20;
const POLL_EVERY_MS = 10;
const POLLED_AT_ONCE = 50;
const CALL_MS = 60_000;

interface Started {
  readonly ref: JobRef;
  readonly at: number;
  readonly lostMs: number;
}

/** In each of some job sets a job starts at every beat, and is polled until a poll says that it runs. */
export class Pulse {
  /** Polls that got no answer. */
  readonly failed: string[] = [];
  private readonly pending = new Set<Started>();
  private readonly timers: NodeJS.Timeout[] = [];
  private readonly told: JobRef[] = [];
  private slowestMs = 0;
  private beats = 0;
  private isStopped = false;
  private polling: Promise<void> | undefined;
  private lostMs = 0;
  private tickedAt = performance.now();

  constructor(
    private readonly armada: FakeArmada,
    private readonly client: Client,
    private readonly jobSetIds: readonly string[],
  ) {}

  start(): void {
    for (let beat = 0; beat < AHEAD; beat++) this.submit(beat);
    this.timers.push(
      setInterval(() => this.beat(), BEAT_MS),
      setInterval(() => this.tick(), TICK_MS),
    );
    this.polling = this.pollOn();
  }

  /**
   * The longest time from a start to a poll that returned it, since this was last called. Milliseconds, less those by which timers of this process were
   * late meanwhile: a machine that is busy with other work is not counted.
   *
   * Waits until polls have returned all that has started so far.
   */
  async gapMs(): Promise<number> {
    const before = [...this.pending];
    await patiently('polls have returned every start', () => !before.some((one) => this.pending.has(one)));
    const gap = this.slowestMs;
    this.slowestMs = 0;
    return gap;
  }

  /** Jobs that polls said to run, and no longer do: none of them ends. With the answer of each. */
  async forgotten(): Promise<string[]> {
    const forgotten: string[] = [];
    for (let n = 0; n < this.told.length; n += POLLED_AT_ONCE) {
      const some = this.told.slice(n, n + POLLED_AT_ONCE);
      const answers = await Promise.all(some.map((ref) => pollCalmly(this.client, ref, ref.jobId)));
      const wrong = answers.filter(({ state }) => state !== 'RUNNING');
      forgotten.push(...wrong.map(({ state, error }) => `${state} ${error}`));
    }
    return forgotten;
  }

  async stop(): Promise<void> {
    this.isStopped = true;
    for (const timer of this.timers) clearInterval(timer);
    await this.polling;
  }

  private beat(): void {
    const beat = this.beats++;
    this.submit(beat + AHEAD);
    for (const jobSetId of this.jobSetIds) {
      const ref = refOf(jobSetId, beat);
      this.armada.state.openLog(QUEUE, jobSetId).append(jobEvents.running(ref, JOB));
      this.pending.add({ ref, at: performance.now(), lostMs: this.lostMs });
    }
  }

  private submit(beat: number): void {
    for (const jobSetId of this.jobSetIds) {
      this.armada.state.openLog(QUEUE, jobSetId).append(jobEvents.submitted(refOf(jobSetId, beat), JOB));
    }
  }

  private tick(): void {
    const now = performance.now();
    this.lostMs += Math.max(0, now - this.tickedAt - TICK_MS);
    this.tickedAt = now;
  }

  private async pollOn(): Promise<void> {
    while (!this.isStopped) {
      await Promise.all(Array.from(this.pending, (one) => this.pollOne(one)));
      await sleep(POLL_EVERY_MS);
    }
  }

  private async pollOne(one: Started): Promise<void> {
    try {
      const { state } = await poll(this.client, one.ref, one.ref.jobId, { deadline: Date.now() + CALL_MS });
      if (state !== 'RUNNING') return;
      this.pending.delete(one);
      this.told.push(one.ref);
      const ms = performance.now() - one.at - (this.lostMs - one.lostMs);
      this.slowestMs = Math.max(this.slowestMs, ms);
    } catch (error) {
      this.failed.push((error as Error).message);
    }
  }
}

const refOf = (jobSetId: string, beat: number): JobRef => ({
  queue: QUEUE,
  jobSetId,
  jobId: jobIdFor(`${jobSetId} beat ${beat}`),
});
