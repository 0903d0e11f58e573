import type { JobSetKey, JobState } from '@ajs/job-state';

/** What the checker needs to know of a run. Times are milliseconds since the epoch, by one clock. */
export interface History {
  readonly truth: readonly TrueJob[];
  readonly answers: readonly Answer[];
  readonly watches: readonly Watch[];
  readonly waits: readonly Wait[];
  readonly writes: readonly MetaChange[];
  readonly disturbances: readonly Disturbance[];
  readonly processes: readonly ProcessHistory[];
  /** States in Redis at the end, for job sets that were not polled for a while. */
  readonly unpolled: readonly Unpolled[];
  /** When more watches were open at Armada than the budget. */
  readonly excesses: readonly Excess[];
}

/** What really happened to a job. */
export interface TrueJob {
  readonly key: JobSetKey;
  readonly jobId: string;
  /** In order; empty where the job was never submitted. */
  readonly stages: readonly Stage[];
  /** When Armada forgot some of its messages, which Redis had applied by then. */
  readonly forgottenAt?: number;
  /** When Armada's own `api.Jobs` was first asked for it: answers may pass on that answer from then on. */
  readonly lookedUpAt?: number;
}

/** A period in a job's life. */
export interface Stage {
  readonly state: JobState;
  /** When Armada accepted the message that began it: `api.Jobs` may show the state from then on. */
  readonly at: number;
  /** When the event stream got that message; left out where it never did. */
  readonly publishedAt?: number;
  /** Which message of its job set that was: a cursor must have reached it to know the state. */
  readonly position: number;
  /** How many messages about the job came from then on until the next period. */
  readonly messages: number;
}

/** What a caller got: a state by the API's name, or one of these. */
export type Result =
  | { readonly kind: 'state'; readonly apiState: string }
  /** JOB_ID_NOT_FOUND, or UNKNOWN. */
  | { readonly kind: 'not-found' }
  /** CONNECTION_ERR, UNAVAILABLE and the like, from the query itself. */
  | { readonly kind: 'unavailable'; readonly reason: string }
  /** The query was not running, or did not answer in time. */
  | { readonly kind: 'no-answer'; readonly reason: string };

/** The older operator's API, `api.Jobs`, and our own `jobservice.v2`. */
export type Api = 'legacy' | 'jobs' | 'v2';

export interface Answer {
  readonly api: Api;
  readonly query: string;
  readonly key: JobSetKey;
  readonly jobId: string;
  readonly requestedAt: number;
  readonly answeredAt: number;
  readonly result: Result;
  /** Trailing metadata of the legacy API. */
  readonly subscription?: string;
  readonly syncedAt?: number;
}

/** A stream of WatchJobSet or WatchJobs, as its caller saw it. */
export interface Watch {
  readonly method: 'WatchJobSet' | 'WatchJobs';
  /** Streams with one number go on behind one another: each begins with the resume token of the one before. */
  readonly chain: number;
  readonly query: string;
  readonly key: JobSetKey;
  /** The jobs that WatchJobs names; of WatchJobSet those that the job set ever gets. */
  readonly jobIds: readonly string[];
  readonly requestedAt: number;
  readonly events: readonly WatchEvent[];
  /** When it ended, by itself or since its caller left. */
  readonly endedAt: number;
  /** How it ended by itself, by the name of gRPC's status. */
  readonly end?: { readonly code: string; readonly details: string };
}

export type WatchEvent =
  | { readonly kind: 'job'; readonly at: number; readonly jobId: string; readonly state: string }
  | { readonly kind: 'snapshot-end' | 'bookmark'; readonly at: number };

/** A call of WaitForJobs that was answered. */
export interface Wait {
  readonly query: string;
  readonly key: JobSetKey;
  readonly jobIds: readonly string[];
  /** How many of the jobs have to come so far. */
  readonly count: number;
  /** How far: to one of these states, or to any terminal one. */
  readonly states: readonly string[];
  readonly maxWaitMs: number;
  readonly requestedAt: number;
  readonly answeredAt: number;
  readonly satisfied: boolean;
  /** The states that it reports; jobs without one are left out. */
  readonly reported: Readonly<Record<string, string>>;
}

/** What an owner's write compares before it is accepted. */
export interface Meta {
  readonly generation: string;
  readonly cursor: string;
  readonly revision: string;
}

/** A change of a job set's meta, as MONITOR shows it. */
export interface MetaChange {
  readonly at: number;
  /** The key of its meta. */
  readonly jobSet: string;
  /** Whose connection it came by. */
  readonly by: string;
  readonly via: 'script' | 'command';
  /** Left out where it is unknown (Redis has just restarted), or there was none. */
  readonly before?: Meta;
  /** Left out where the meta was deleted. */
  readonly after?: Meta;
  /** What the writer had read last, by the script's arguments: only of scripts that write the cursor. */
  readonly expected?: Meta;
}

/** The time of a fault until it was repaired, or one in which the machine stalled. */
export interface Disturbance {
  readonly kind: string;
  readonly of: 'armada' | 'redis' | 'ingester' | 'query' | 'machine';
  readonly from: number;
  readonly to: number;
  /** Redis lost acknowledged writes. */
  readonly lostWrites?: true;
}

export interface ProcessHistory {
  readonly name: string;
  readonly lines: readonly { readonly msg: string; readonly jobSetId?: unknown; readonly level: string }[];
  readonly largestRssBytes: number;
  /** How it exited; left out where the run ended it. */
  readonly unexpectedExit?: string;
}

/** What Redis holds of a job whose job set was not polled, once it was right or time was up. */
export interface Unpolled {
  readonly key: JobSetKey;
  readonly jobId: string;
  readonly state: JobState | undefined;
}

/** A time during which more watches were open than allowed. */
export interface Excess {
  readonly from: number;
  readonly to: number;
  readonly most: number;
  readonly allowed: number;
}

/** A violated invariant, for people. */
export interface Violation {
  readonly rule: string;
  readonly what: string;
}
