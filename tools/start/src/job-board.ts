import { JobServiceClient, JobServiceResponse_State } from '@ajs/contracts/jobservice/jobservice';
import { JOB_STATES, type JobSetKey, Cursor } from '@ajs/job-state';
import type { EventSource } from '@ajs/subscriptions';
import { credentials } from '@grpc/grpc-js';

/** A state of the legacy API by name, or `?` before the first answer. */
export type StateName = keyof typeof JobServiceResponse_State | '?';

export interface Move {
  readonly jobSetId: string;
  readonly jobId: string;
  readonly from: StateName;
  readonly to: StateName;
  readonly error: string;
}

export interface JobSetProgress {
  readonly key: JobSetKey;
  readonly jobs: number;
  readonly ended: number;
  readonly counts: ReadonlyMap<StateName, number>;
}

const ENDED: ReadonlySet<StateName> = new Set<StateName>(
  Object.values(JOB_STATES).flatMap(({ terminal, legacy }) => (terminal ? [legacy] : [])),
);
const NAMES = new Map<number, StateName>(
  Object.entries(JobServiceResponse_State).map(([name, value]) => [value, name as StateName]),
);
const ROUND_MS = 500;
const POLLED_AT_ONCE = 50;
const MOST_JOBS = 2_000;
const REOPEN_MS = 1_000;

/**
 * Jobs as a caller of the service sees them: Armada's event streams say which jobs exist, and only polls of the service say which state
 * they are in. A job is polled until it has ended.
 */
export class JobBoard {
  private readonly client: JobServiceClient;
  private readonly sets: { key: JobSetKey; states: Map<string, StateName> }[];
  private polling = false;
  private readonly timers: NodeJS.Timeout[] = [];

  constructor(
    queryAddress: string,
    private readonly events: EventSource,
    keys: readonly JobSetKey[],
    private readonly moved: (move: Move) => void,
  ) {
    this.client = new JobServiceClient(queryAddress, credentials.createInsecure());
    this.sets = keys.map((key) => ({ key, states: new Map<string, StateName>() }));
  }

  start(): void {
    for (const set of this.sets) this.watchForJobs(set, Cursor(''));
    this.timers.push(setInterval(() => void this.round(), ROUND_MS));
  }

  stop(): void {
    for (const timer of this.timers) clearInterval(timer);
    this.client.close();
  }

  /** Any job, for an example. */
  get anyJob(): { key: JobSetKey; jobId: string } | undefined {
    for (const { key, states } of this.sets) {
      const jobId = states.keys().next().value;
      if (jobId !== undefined) return { key, jobId };
    }
    return undefined;
  }

  progress(): JobSetProgress[] {
    return this.sets.map(({ key, states }) => {
      const counts = new Map<StateName, number>();
      let ended = 0;
      for (const state of states.values()) {
        counts.set(state, (counts.get(state) ?? 0) + 1);
        if (ENDED.has(state)) ended++;
      }
      return { key, jobs: states.size, ended, counts };
    });
  }

  private watchForJobs(set: { key: JobSetKey; states: Map<string, StateName> }, from: Cursor): void {
    let cursor = from;
    this.events.open(
      { key: set.key, from, watch: true },
      {
        message: ({ cursor: read, event }) => {
          cursor = read;
          if (event === undefined || set.states.has(event.jobId)) return;
          if (set.states.size >= MOST_JOBS) dropEnded(set.states);
          if (set.states.size < MOST_JOBS) set.states.set(event.jobId, '?');
        },
        end: () => this.timers.push(setTimeout(() => this.watchForJobs(set, cursor), REOPEN_MS)),
      },
    );
  }

  private async round(): Promise<void> {
    if (this.polling) return;
    this.polling = true;
    const unfinished = this.sets.flatMap(({ key, states }) =>
      Array.from(states)
        .filter(([, state]) => !ENDED.has(state))
        .map(([jobId]) => ({ key, jobId, states })),
    );
    while (unfinished.length > 0) {
      await Promise.all(unfinished.splice(0, POLLED_AT_ONCE).map((one) => this.poll(one)));
    }
    this.polling = false;
  }

  private poll({
    key,
    jobId,
    states,
  }: {
    key: JobSetKey;
    jobId: string;
    states: Map<string, StateName>;
  }): Promise<void> {
    return new Promise((resolve) => {
      this.client.getJobStatus({ queue: key.queue, jobSetId: key.jobSetId, jobId }, (failure, response) => {
        // A failed poll leaves the job as it is; the next round polls it again.
        const to = failure === null ? (NAMES.get(response.state) ?? '?') : '?';
        const from = states.get(jobId) ?? '?';
        if (to !== '?' && to !== from) {
          states.set(jobId, to);
          this.moved({ jobSetId: key.jobSetId, jobId, from, to, error: response.error });
        }
        resolve();
      });
    });
  }
}

/** Drops the oldest half of the jobs that have ended. */
function dropEnded(states: Map<string, StateName>): void {
  const ended = Array.from(states).filter(([, state]) => ENDED.has(state));
  for (const [jobId] of ended.slice(0, Math.ceil(ended.length / 2))) states.delete(jobId);
}
