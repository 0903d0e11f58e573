import {
  JobState,
  JobStatusServiceClient,
  type Job,
  type WatchJobSetResponse,
} from '@ajs/contracts/jobservice/v2/job_status_service';
import type { JobSetKey } from '@ajs/job-state';
import { credentials, status, type ClientReadableStream, type ServiceError } from '@grpc/grpc-js';

/** A state of `jobservice.v2` by name, without what all names begin with; `new` before the first, `?` for one that this version does not know. */
export type StateName = string;

export interface Move {
  readonly jobSetId: string;
  readonly jobId: string;
  readonly from: StateName;
  readonly to: StateName;
  readonly reason: string;
}

export interface JobSetProgress {
  readonly key: JobSetKey;
  readonly jobs: number;
  readonly ended: number;
  readonly counts: ReadonlyMap<StateName, number>;
}

interface BoardJob {
  readonly state: StateName;
  readonly ended: boolean;
}

interface WatchedJobSet {
  readonly key: JobSetKey;
  readonly jobs: Map<string, BoardJob>;
  resumeToken: string;
  stream?: ClientReadableStream<WatchJobSetResponse>;
}

const NAMES = new Map<number, StateName>(
  Object.entries(JobState).map(([name, value]) => [value, name.replace('JOB_STATE_', '')]),
);
const MOST_JOBS = 2_000;
const REOPEN_MS = 1_000;

/** Jobs as a caller of the service sees them, by one `WatchJobSet` stream for each job set. */
export class JobBoard {
  private readonly client: JobStatusServiceClient;
  private readonly sets: readonly WatchedJobSet[];
  private readonly timers = new Set<NodeJS.Timeout>();
  private stopped = false;

  constructor(
    queryAddress: string,
    keys: readonly JobSetKey[],
    private readonly moved: (move: Move) => void,
    private readonly reopenMs = REOPEN_MS,
  ) {
    this.client = new JobStatusServiceClient(queryAddress, credentials.createInsecure());
    this.sets = keys.map((key) => ({ key, jobs: new Map<string, BoardJob>(), resumeToken: '' }));
  }

  start(): void {
    for (const set of this.sets) this.watch(set);
  }

  stop(): void {
    this.stopped = true;
    for (const timer of this.timers) clearTimeout(timer);
    for (const { stream } of this.sets) stream?.cancel();
    this.client.close();
  }

  /** Any job, for an example. */
  get anyJob(): { key: JobSetKey; jobId: string } | undefined {
    for (const { key, jobs } of this.sets) {
      const jobId = jobs.keys().next().value;
      if (jobId !== undefined) return { key, jobId };
    }
    return undefined;
  }

  progress(): JobSetProgress[] {
    return this.sets.map(({ key, jobs }) => {
      const counts = new Map<StateName, number>();
      for (const { state } of jobs.values()) counts.set(state, (counts.get(state) ?? 0) + 1);
      return { key, jobs: jobs.size, ended: [...jobs.values()].filter(({ ended }) => ended).length, counts };
    });
  }

  /** Goes on behind the last token, again and again. */
  private watch(set: WatchedJobSet): void {
    const { queue, jobSetId: jobSet } = set.key;
    const request = { queue, jobSet, resumeToken: set.resumeToken, onlyTerminal: false };
    const stream = this.client.watchJobSet(request);
    set.stream = stream;
    stream.on('data', ({ event, resumeToken }: WatchJobSetResponse) => {
      set.resumeToken = resumeToken;
      if (event?.$case === 'job') this.show(set, event.value);
    });
    stream.on('error', ({ code }: ServiceError) => {
      // Too old: all jobs are given again.
      if (code === status.OUT_OF_RANGE) set.resumeToken = '';
    });
    stream.on('status', () => {
      if (this.stopped) return;
      const timer = setTimeout(() => {
        this.timers.delete(timer);
        this.watch(set);
      }, this.reopenMs);
      this.timers.add(timer);
    });
  }

  private show({ key, jobs }: WatchedJobSet, { ref, state, terminal, reason }: Job): void {
    const jobId = ref?.jobId ?? '';
    const before = jobs.get(jobId);
    const to = NAMES.get(state) ?? '?';
    if (before === undefined && jobs.size >= MOST_JOBS) dropEnded(jobs);
    if (before?.state === to || (before === undefined && jobs.size >= MOST_JOBS)) return;
    jobs.set(jobId, { state: to, ended: terminal });
    this.moved({ jobSetId: key.jobSetId, jobId, from: before?.state ?? 'new', to, reason });
  }
}

/** Drops the oldest half of the jobs that have ended. */
function dropEnded(jobs: Map<string, BoardJob>): void {
  const ended = Array.from(jobs).filter(([, job]) => job.ended);
  for (const [jobId] of ended.slice(0, Math.ceil(ended.length / 2))) jobs.delete(jobId);
}
