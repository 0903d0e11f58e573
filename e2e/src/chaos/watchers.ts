import { setTimeout as sleep } from 'node:timers/promises';
import {
  JobStatusServiceService,
  type Job,
  type WatchJobSetResponse,
} from '@ajs/contracts/jobservice/v2/job_status_service';
import type { JobSetKey } from '@ajs/job-state';
import { status } from '@grpc/grpc-js';
import { stateNameOf } from '../job-set-watch.js';
import { isTerminalName } from './api-states.js';
import type { WatchEvent } from './history.js';
import type { Random } from './job-lives.js';
import { now, type Target } from './pollers.js';
import { RecordedStreams } from './recorded-streams.js';

/** Before the next stream. Milliseconds; long enough for changes to come meanwhile. */
const LONGEST_PAUSE_MS = 1_000;
/** How long a restless watcher stays with a stream. Milliseconds. */
const LONGEST_STAY_MS = 2_000;

/** What is watched. */
export interface Watched {
  readonly key: JobSetKey;
  readonly jobIds: readonly string[];
}

/** A watcher of a job set. */
export interface Watcher extends Watched {
  /** The state of each job as its streams sent it last, since it began without a token. */
  readonly states: Map<string, string>;
}

/** Watch job sets and single jobs at any query, and go on at another one when a stream ends. */
export class Watchers {
  readonly streams = new RecordedStreams();
  readonly ofJobSets: Watcher[] = [];
  private readonly loops: Promise<void>[] = [];
  private isWatching = true;
  private chains = 0;

  /** @param targets the queries that run now */
  constructor(
    private readonly targets: () => readonly Target[],
    private readonly random: Random,
  ) {}

  /**
   * Until all of the jobs have ended: the streams of long runs would be too many.
   *
   * @param isRestless leaves its streams again and again, and resumes them
   */
  watchJobSet(watched: Watched, isRestless: boolean): void {
    const watcher = { ...watched, states: new Map<string, string>() };
    this.ofJobSets.push(watcher);
    this.loops.push(this.followJobSet(watcher, isRestless));
  }

  /** Until all of the jobs have ended. */
  watchJobs(watched: Watched): void {
    this.loops.push(this.followJobs(watched));
  }

  async stop(): Promise<void> {
    this.isWatching = false;
    this.streams.leaveAll();
    await Promise.all(this.loops);
  }

  private async followJobSet({ key, jobIds, states }: Watcher, isRestless: boolean): Promise<void> {
    let [chain, resumeToken] = [this.chains++, ''];
    const isOver = (): boolean => jobIds.every((jobId) => isTerminalName(states.get(jobId)));
    await this.again(async (target) => {
      const end = await this.streams.open({ method: 'WatchJobSet', chain, key, jobIds }, target, {
        method: JobStatusServiceService.watchJobSet,
        request: { queue: key.queue, jobSet: key.jobSetId, resumeToken, onlyTerminal: false },
        take: (message) => {
          ({ resumeToken } = message);
          const event = eventOf(message);
          if (event.kind === 'job') states.set(event.jobId, event.state);
          return event;
        },
        isOver,
        ...(isRestless && { stayMs: this.random() * LONGEST_STAY_MS }),
      });
      const [trailer] = end?.metadata.get('resume-token').map(String) ?? [];
      resumeToken = trailer ?? resumeToken;
      if (end?.code === status.OUT_OF_RANGE) {
        [chain, resumeToken] = [this.chains++, ''];
        states.clear();
      }
      return !isOver();
    });
  }

  private async followJobs({ key, jobIds }: Watched): Promise<void> {
    const refs = jobIds.map((jobId) => ({ queue: key.queue, jobSet: key.jobSetId, jobId }));
    await this.again(async (target) => {
      const watching = { method: 'WatchJobs', chain: this.chains++, key, jobIds } as const;
      const end = await this.streams.open(watching, target, {
        method: JobStatusServiceService.watchJobs,
        request: { refs },
        take: ({ result }) => (result?.result?.$case === 'job' ? toldJob(result.result.value) : undefined),
      });
      return end?.code !== status.OK;
    });
  }

  /** Calls `stream` with another query each time, for as long as it resolves to true. */
  private async again(stream: (target: Target) => Promise<boolean>): Promise<void> {
    for (let last = ''; this.isWatching;) {
      const targets = this.targets();
      const others = targets.filter(({ name }) => name !== last);
      const target = others[Math.floor(this.random() * others.length)] ?? targets[0];
      last = target?.name ?? '';
      if (target !== undefined && !(await stream(target))) return;
      await sleep(this.random() * LONGEST_PAUSE_MS);
    }
  }
}

function eventOf({ event }: WatchJobSetResponse): WatchEvent {
  if (event?.$case === 'job') return toldJob(event.value);
  return { kind: event?.$case === 'snapshotEnd' ? 'snapshot-end' : 'bookmark', at: now() };
}

function toldJob({ ref, state }: Job): WatchEvent {
  return { kind: 'job', at: now(), jobId: ref?.jobId ?? '', state: stateNameOf(state) };
}
