import type { JobSetKey, JobState } from '@ajs/job-state';

/** All that happened in a run, as far as the checker wants to know. Times are milliseconds since the epoch, of one clock. */
export interface History {
  readonly truth: readonly TrueJob[];
  readonly answers: readonly Answer[];
  readonly writes: readonly MetaChange[];
  readonly troubles: readonly Trouble[];
  readonly processes: readonly ProcessHistory[];
  /** States in Redis at the end, of job sets that nobody had polled for a while. */
  readonly unpolled: readonly Unpolled[];
  /** When more watches were open at Armada than the ingesters may have. */
  readonly excesses: readonly Excess[];
}

/** What really became of a job. */
export interface TrueJob {
  readonly key: JobSetKey;
  readonly jobId: string;
  /** In their order; none where the job was never submitted. */
  readonly stages: readonly Stage[];
  /** Since when Armada has no longer all messages of it, all of which Redis had applied then. */
  readonly forgottenAt?: number;
}

/** A time in a job's life. */
export interface Stage {
  readonly state: JobState;
  /** When Armada had the message that began it. */
  readonly at: number;
  /** How many messages of the job set that message was: what a cursor must have reached to tell of it. */
  readonly position: number;
}

/** What a caller was told: a state in the words of the API, or one of these. */
export type Told =
  | { readonly kind: 'state'; readonly word: string }
  /** JOB_ID_NOT_FOUND, or UNKNOWN. */
  | { readonly kind: 'not-found' }
  /** CONNECTION_ERR, UNAVAILABLE and the like, said by the query itself. */
  | { readonly kind: 'trouble'; readonly reason: string }
  /** The query was not there, or did not answer in time. */
  | { readonly kind: 'no-answer'; readonly reason: string };

export type Api = 'legacy' | 'jobs';

export interface Answer {
  readonly api: Api;
  readonly query: string;
  readonly key: JobSetKey;
  readonly jobId: string;
  readonly askedAt: number;
  readonly answeredAt: number;
  readonly told: Told;
  /** Trailing metadata of the legacy API. */
  readonly subscription?: string;
  readonly levelAt?: number;
}

/** Where a job set stands in Redis. */
export interface Meta {
  readonly generation: string;
  readonly cursor: string;
  readonly revision: string;
}

/** A change of a job set's meta, as Redis saw it. */
export interface MetaChange {
  readonly at: number;
  /** The key of its meta. */
  readonly jobSet: string;
  /** Whose connection it came by. */
  readonly by: string;
  readonly via: 'script' | 'command';
  /** Left out where it is not known (Redis has just come back), or there was none. */
  readonly before?: Meta;
  /** Left out where the meta is gone. */
  readonly after?: Meta;
  /** What the writer said it had read last: of a script that moved the cursor. */
  readonly expected?: Meta;
}

/** A fault, from its beginning until it was made good; or the machine had no time for us. */
export interface Trouble {
  readonly kind: string;
  readonly of: 'armada' | 'redis' | 'ingester' | 'query' | 'machine';
  readonly from: number;
  readonly to: number;
  /** Redis lost writes that it had acknowledged. */
  readonly lostWrites?: true;
}

export interface ProcessHistory {
  readonly name: string;
  readonly lines: readonly { readonly msg: string; readonly jobSetId?: unknown; readonly level: string }[];
  readonly largestRssBytes: number;
  /** How it ended by itself; left out where it was ended, or ran to the end. */
  readonly unexpectedExit?: string;
}

/** What Redis had to tell of a job whose job set nobody polled, when it was level or time was up. */
export interface Unpolled {
  readonly key: JobSetKey;
  readonly jobId: string;
  readonly state: JobState | undefined;
}

/** A time during which more watches were open than may be. */
export interface Excess {
  readonly from: number;
  readonly to: number;
  readonly most: number;
  readonly allowed: number;
}

/** A promise that was broken, in words for people. */
export interface Violation {
  readonly rule: string;
  readonly what: string;
}
