import { jobEvents } from '@ajs/testing';
import type { Client } from '@grpc/grpc-js';
import { patiently } from './patiently.js';
import { Stack, poll, pollCalmly, type RunningQuery } from './stack.js';

export const QUEUE = 'lab';
export const JOB = { namespace: 'ns', annotations: {} };
/** The order of legacy states: none may go back. */
const RANK: Readonly<Record<string, number>> = { SUBMITTED: 0, RUNNING: 1, SUCCEEDED: 2 };

export const key = (n: number) => ({ queue: QUEUE, jobSetId: `set-${n}` });
export const ref = (set: number, job: number) => ({
  ...key(set),
  jobId: `01m85vrgp7whz55kx8f0${String(set * 1000 + job).padStart(6, '0')}`,
});

/** Waits until a job is answered so. */
export const isInState = ({ client }: RunningQuery, state: string, set = 0, job = 0): Promise<true> =>
  patiently(
    `the job is ${state}`,
    async () => (await poll(client, key(set), ref(set, job).jobId)).state === state,
  );

/** Gives a test a stack of its own, whose Armada has the queue, and stops it however the test ends: concurrent tests have no hooks for that. */
export async function withStack(
  redis: { readonly url: string; stop(): Promise<void> },
  use: (stack: Stack) => Promise<void>,
  env: Readonly<Record<string, string>> = {},
): Promise<void> {
  const stack = await Stack.start(env, redis);
  stack.armada.state.queues.add(QUEUE);
  try {
    await use(stack);
  } finally {
    await stack.stop();
  }
}

/** Job sets whose jobs move while they are polled; records every job that went back. */
export class Traffic {
  readonly wentBack: string[] = [];
  /** Redis may be unavailable: a poll may be answered so. */
  redisMayBeUnavailable = false;
  private readonly seen = new Map<string, number>();
  private next = 0;

  constructor(
    private readonly stack: Stack,
    private readonly client: Client,
    private readonly sets: number,
    private readonly jobs: number,
  ) {}

  begin(): void {
    for (let set = 0; set < this.sets; set++) {
      const log = this.stack.armada.state.openLog(QUEUE, key(set).jobSetId);
      for (let job = 0; job < this.jobs; job++) log.append(jobEvents.submitted(ref(set, job), JOB));
    }
  }

  /** Moves one job of each set: the first half of the calls lets jobs run, the second half ends them. */
  move(): void {
    const step = this.next++;
    for (let set = 0; set < this.sets; set++) {
      const log = this.stack.armada.state.openLog(QUEUE, key(set).jobSetId);
      const one = ref(set, step % this.jobs);
      log.append(step < this.jobs ? jobEvents.running(one, JOB) : jobEvents.succeeded(one));
    }
  }

  get isOver(): boolean {
    return this.next >= 2 * this.jobs;
  }

  /** Polls every job once; resolves to how many have ended. */
  async look(): Promise<number> {
    let ended = 0;
    for (let set = 0; set < this.sets; set++) {
      for (let job = 0; job < this.jobs; job++) {
        const { jobId } = ref(set, job);
        const pollOnce = this.redisMayBeUnavailable ? poll : pollCalmly;
        const { state } = await pollOnce(this.client, key(set), jobId);
        const rank = RANK[state];
        const before = this.seen.get(jobId) ?? -1;
        const isHidden = state === 'CONNECTION_ERR' && this.redisMayBeUnavailable;
        if (!isHidden && (rank ?? -1) < before) this.wentBack.push(`${jobId}: ${before} ${state}`);
        if (rank !== undefined) this.seen.set(jobId, Math.max(rank, before));
        if (rank === 2) ended++;
      }
    }
    return ended;
  }

  /** Moves and polls until every job is answered as ended. */
  async toTheEnd(): Promise<void> {
    await patiently('all jobs have ended', async () => {
      if (!this.isOver) this.move();
      return (await this.look()) === this.sets * this.jobs;
    });
    expect(this.wentBack).toEqual([]);
  }
}
