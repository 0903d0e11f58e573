import {
  JobState,
  JobStatusServiceService,
  type WatchJobSetResponse,
} from '@ajs/contracts/jobservice/v2/job_status_service';
import type { JobSetKey } from '@ajs/job-state';
import { eventually } from '@ajs/testing';
import type { Client, StatusObject } from '@grpc/grpc-js';
import { callStream } from './server-stream.js';

const WITHIN_MS = 60_000;
const STATE_NAMES = Object.keys(JobState).map((name) => name.replace('JOB_STATE_', ''));

/** The name of a state, as `RUNNING`. */
export function stateNameOf(state: JobState): string {
  return STATE_NAMES[state] ?? `${state}`;
}

/** A stream of WatchJobSet, with what it gave. */
export class JobSetWatch {
  readonly events: WatchJobSetResponse[] = [];
  end: StatusObject | undefined;
  /** The stream then ends with CANCELLED. */
  readonly cancel: () => void;

  constructor(
    client: Client,
    { queue, jobSetId }: JobSetKey,
    private readonly resumeToken = '',
    onEvent: (event: WatchJobSetResponse) => void = () => undefined,
  ) {
    const request = { queue, jobSet: jobSetId, resumeToken, onlyTerminal: false };
    this.cancel = callStream(client, JobStatusServiceService.watchJobSet, request, {
      message: (event) => {
        this.events.push(event);
        onEvent(event);
      },
      end: (end) => (this.end = end),
    });
  }

  /** `JOB_ID STATE` of each job that came, and the end of the snapshot. */
  get seen(): string[] {
    return this.events.flatMap(({ event }) => {
      if (event?.$case === 'snapshotEnd') return ['end of the snapshot'];
      if (event?.$case !== 'job') return [];
      return [`${event.value.ref?.jobId ?? ''} ${stateNameOf(event.value.state)}`];
    });
  }

  /** What resumes it behind all that it gave. */
  get token(): string {
    const [trailer] = this.end?.metadata.get('resume-token').map(String) ?? [];
    return trailer ?? this.events.at(-1)?.resumeToken ?? this.resumeToken;
  }

  /** Waits until it has given exactly this, in this order. */
  async gives(...seen: string[]): Promise<void> {
    await eventually(
      `it has given ${seen.join(', ')}; so far ${this.seen.join(', ')}`,
      () => this.seen.length >= seen.length,
      WITHIN_MS,
    );
    expect(this.seen).toEqual(seen);
  }

  /** Waits until it has ended; resolves to how. */
  async ended(): Promise<StatusObject> {
    return eventually('the stream has ended', () => this.end, WITHIN_MS);
  }
}
