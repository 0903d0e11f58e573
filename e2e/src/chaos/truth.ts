import { Cause, type EventMessage } from '@ajs/contracts/api/event';
import type { JobSetKey, JobState } from '@ajs/job-state';
import type { Stage, TrueJob } from './history.js';
import { isTerminal } from './api-states.js';

interface Life {
  readonly stages: { -readonly [Field in keyof Stage]: Stage[Field] }[];
  /** The current run was preempted. */
  preempted: boolean;
}

/**
 * The model that answers are compared with: each job's state after each message that Armada has. It implements the table of events a
 * second time and shares no code with the fold.
 */
export class Truth {
  private readonly lives = new Map<string, Life & { readonly key: JobSetKey }>();
  private readonly messages = new Map<string, EventMessage[]>();
  /** When each message of a job set came to its event stream. */
  private readonly published = new Map<string, number[]>();
  private readonly forgotten = new Map<string, number>();

  /** Armada accepts these messages of the job set. */
  append(key: JobSetKey, messages: readonly EventMessage[], at: number): void {
    const log = this.logOf(key);
    for (const message of messages) {
      log.push(message);
      this.apply(key, message, at, log.length);
    }
  }

  /** Armada's event stream of the job set has come to this position. */
  publish(key: JobSetKey, position: number, at: number): void {
    const times = this.published.get(nameOf(key)) ?? [];
    this.published.set(nameOf(key), times);
    while (times.length < position) times.push(at);
  }

  /** Armada repeats the newest messages of a job set under new ids; returns them. */
  duplicateNewest(key: JobSetKey, count: number, at: number): readonly EventMessage[] {
    const messages = this.logOf(key).slice(-count);
    this.append(key, messages, at);
    return messages;
  }

  /** Armada forgets the oldest messages of a job set, up to a position. */
  forget(key: JobSetKey, position: number, at: number): void {
    const { queue, jobSetId } = key;
    for (const [jobId, life] of this.lives) {
      const [first] = life.stages;
      const isOfSet = life.key.queue === queue && life.key.jobSetId === jobSetId;
      if (isOfSet && first !== undefined && first.position <= position && !this.forgotten.has(jobId)) {
        this.forgotten.set(jobId, at);
      }
    }
  }

  /** Job sets in which something happened. */
  jobSets(): JobSetKey[] {
    return Array.from(this.messages.keys(), (name) => {
      const [queue, jobSetId] = JSON.parse(name) as [string, string];
      return { queue, jobSetId };
    });
  }

  state(jobId: string): JobState | undefined {
    return this.lives.get(jobId)?.stages.at(-1)?.state;
  }

  jobs(): TrueJob[] {
    return Array.from(this.lives, ([jobId, { key, stages }]) => {
      const forgottenAt = this.forgotten.get(jobId);
      const published = this.published.get(nameOf(key));
      return {
        key,
        jobId,
        stages: stages.map((stage) => {
          const publishedAt = published?.[stage.position - 1];
          return { ...stage, ...(publishedAt !== undefined && { publishedAt }) };
        }),
        ...(forgottenAt !== undefined && { forgottenAt }),
      };
    });
  }

  private logOf(key: JobSetKey): EventMessage[] {
    const name = nameOf(key);
    let log = this.messages.get(name);
    if (log === undefined) this.messages.set(name, (log = []));
    return log;
  }

  private apply(key: JobSetKey, { events }: EventMessage, at: number, position: number): void {
    if (events === undefined) return;
    const { jobId } = events.value;
    const life = this.lives.get(jobId) ?? { key, stages: [], preempted: false };
    this.lives.set(jobId, life);
    const stage = life.stages.at(-1);
    const before = stage?.state;
    if (before !== undefined && isTerminal(before)) return;
    const after = stateAfter(events, before, life);
    if (after !== undefined && after !== before)
      life.stages.push({ state: after, at, position, messages: 1 });
    else if (stage !== undefined) stage.messages++;
  }
}

const nameOf = ({ queue, jobSetId }: JobSetKey): string => JSON.stringify([queue, jobSetId]);

function stateAfter(
  event: NonNullable<EventMessage['events']>,
  before: JobState | undefined,
  life: Life,
): JobState | undefined {
  switch (event.$case) {
    case 'submitted':
      return before ?? 'SUBMITTED';
    case 'queued':
      return before === undefined || before === 'SUBMITTED' ? 'QUEUED' : before;
    case 'leased':
      life.preempted = false;
      return 'LEASED';
    case 'pending':
      return 'PENDING';
    case 'running':
      return 'RUNNING';
    case 'preempted':
      life.preempted = true;
      return before;
    case 'succeeded':
      return 'SUCCEEDED';
    case 'cancelled':
      return 'CANCELLED';
    case 'failed': {
      const { preempted } = life;
      life.preempted = false;
      if (event.value.retryable) return 'QUEUED';
      if (event.value.cause === Cause.Rejected) return 'REJECTED';
      return preempted ? 'PREEMPTED' : 'FAILED';
    }
    case 'leaseReturned':
    case 'leaseExpired':
    case 'unableToSchedule':
    case 'duplicateFound':
    case 'reprioritizing':
    case 'reprioritized':
    case 'cancelling':
    case 'preempting':
    case 'utilisation':
    case 'ingressInfo':
    case 'terminated':
    case 'updated':
      return before;
  }
}
