import type { Generation } from '@ajs/redis-keys';
import { JOB_STATES, type RedisTime } from '@ajs/job-state';
import type { RedisClient } from '../client/redis-client.js';
import { LAYOUT } from '../codec/record-layout.js';
import { STALLED_AFTER_MS } from '../ports.js';
import addEnrichment from './addEnrichment-1.lua';
import addToJobIndex from './addToJobIndex-1.lua';
import buckets from './buckets.lua';
import describeJobSet from './describeJobSet-1.lua';
import findInJobIndex from './findInJobIndex-1.lua';
import jobIndex from './job-index.lua';
import listJobs from './listJobs-1.lua';
import openJobSet from './openJobSet-1.lua';
import putRecords from './putRecords-1.lua';
import readChanges from './readChanges-1.lua';
import readJobs from './readJobs-1.lua';
import readUri from './readUri-1.lua';
import removeFromJobIndex from './removeFromJobIndex-1.lua';
import removeJobSet from './removeJobSet-1.lua';
import renewJobIndex from './renewJobIndex-1.lua';
import touchJobSet from './touchJobSet-1.lua';
import unfinishedJobs from './unfinishedJobs-1.lua';
import watchJobSet from './watchJobSet-1.lua';
import writeJobSet from './writeJobSet-1.lua';
import writing from './writing.lua';

export type ScriptArgument = string | number | Buffer;
type Script<T> = (meta: string, ...args: ScriptArgument[]) => Promise<T>;

/** As `readJobs-1.lua`, `listJobs-1.lua` and `describeJobSet-1.lua` describe it. */
export type JobsReply = [now: RedisTime, ...(Buffer | number | null)[]];

/** As `watchJobSet-1.lua` describes it. */
export type MomentReply = [
  now: RedisTime,
  generation?: Buffer,
  revision?: Buffer,
  ...subscription: (Buffer | null)[],
];

/** As `openJobSet-1.lua` describes it. */
export type OpenReply =
  | [now: RedisTime, generation: null, layout: number]
  | [
      now: RedisTime,
      generation: Buffer,
      cursor: Buffer,
      revision: Buffer,
      unfinished: number,
      reconciled: Buffer | null,
      lost: number,
      strings: Buffer[],
      rate: Buffer | null,
      ratedAt: Buffer,
    ];

/** The scripts of this folder, each described at its head. Replies that hold bytes are read as buffers. */
export interface Scripts {
  openJobSetBuffer: Script<OpenReply>;
  writeJobSet: Script<
    [now: RedisTime, revision?: number, unfinished?: number | null, kept?: number, aheadSince?: string | null]
  >;
  putRecords: Script<[revision: number, ...leftAlone: number[]]>;
  addEnrichment: Script<null>;
  readJobsBuffer: Script<JobsReply>;
  listJobsBuffer: Script<JobsReply>;
  describeJobSetBuffer: Script<JobsReply>;
  readChangesBuffer: Script<[revision?: number, next?: number, ...Buffer[]]>;
  watchJobSetBuffer: Script<MomentReply>;
  unfinishedJobsBuffer: Script<[next?: number, ...Buffer[]]>;
  readUriBuffer: Script<[submitted: Buffer, annotated: Buffer]>;
  touchJobSet: Script<0 | 1>;
  removeJobSet: Script<[generation?: Generation, buckets?: string]>;
  addToJobIndex: Script<[served: number, ...elsewhere: number[]]>;
  findInJobIndexBuffer: Script<[served: number, numbers: Buffer, ...tags: Buffer[]]>;
  removeFromJobIndex: Script<number>;
  renewJobIndex: Script<null>;
}

/** Of the hash of a job id, what stands for the job in the job index. */
export const JOB_HASH_BYTES = 6;

/** What the scripts and the code around them must agree on. */
const CONSTANTS = [
  `local LAYOUT = ${LAYOUT}`,
  `local JOB_HASH_BYTES = ${JOB_HASH_BYTES}`,
  `local STALLED_AFTER = ${STALLED_AFTER_MS}`,
  `local STATES = {${Object.values(JOB_STATES)
    .map(({ number }) => `[${number}]=true`)
    .join(',')}}`,
].join('\n');

/** The client with the scripts on it. May be called again for the same client. */
export function withScripts<T extends RedisClient>(client: T): T & Scripts {
  const ofBuckets = {
    readJobs,
    listJobs,
    describeJobSet,
    readChanges,
    watchJobSet,
    readUri,
    unfinishedJobs,
    touchJobSet,
    removeJobSet,
    addEnrichment,
  };
  const ofRecords = { openJobSet, writeJobSet, putRecords };
  const ofJobIndex = { addToJobIndex, findInJobIndex, removeFromJobIndex, renewJobIndex };
  const define = (name: string, ...parts: string[]): void =>
    client.defineCommand(name, { numberOfKeys: 1, lua: parts.join('\n') });
  for (const [name, lua] of Object.entries(ofBuckets)) define(name, buckets, lua);
  for (const [name, lua] of Object.entries(ofRecords)) define(name, CONSTANTS, buckets, writing, lua);
  for (const [name, lua] of Object.entries(ofJobIndex)) define(name, CONSTANTS, buckets, jobIndex, lua);
  return client as T & Scripts;
}
