import type { RedisTime } from '@ajs/job-state';
import type { Cluster, Redis } from 'ioredis';
import buckets from './buckets.lua';
import learnEnds from './addTerminalStates-1.lua';
import learnFacts from './addEnrichment-1.lua';
import learnJobs from './addProvisionalJobs-1.lua';
import openJobSet from './openJobSet-1.lua';
import readJobs from './readJobs-1.lua';
import readUri from './readUri-1.lua';
import removeJobSet from './removeJobSet-1.lua';
import touchJobSet from './touchJobSet-1.lua';
import unfinishedJobs from './unfinishedJobs-1.lua';
import writeJobSet from './writeJobSet-1.lua';
import writing from './writing.lua';

export type RedisClient = Redis | Cluster;
export type ScriptArgument = string | number | Buffer;
type Script<T> = (meta: string, ...args: ScriptArgument[]) => Promise<T>;

/** As `lua/readJobs-1.lua` describes it. */
export type JobsReply = [now: RedisTime, ...(Buffer | number | null)[]];

/** The scripts of lua/, each described at its head. Replies that hold bytes are read as buffers. */
export interface Scripts {
  openJobSetBuffer: Script<
    [
      now: RedisTime,
      generation: Buffer,
      cursor: Buffer,
      revision: Buffer,
      unfinished: Buffer,
      reconciled: Buffer | null,
      lost: number,
      words: Buffer[],
    ]
  >;
  writeJobSet: Script<[now: RedisTime, revision?: number, unfinished?: number, kept?: number]>;
  learnJobs: Script<number>;
  learnEnds: Script<number>;
  learnFacts: Script<null>;
  readJobsBuffer: Script<JobsReply>;
  unfinishedJobsBuffer: Script<[next?: number, ...Buffer[]]>;
  readUriBuffer: Script<[submitted: Buffer, annotated: Buffer]>;
  touchJobSet: Script<0 | 1 | 2>;
  removeJobSet: Script<[generation?: string, buckets?: string]>;
}

/** The client with the scripts on it. May be called again for the same client. */
export function withScripts<T extends RedisClient>(client: T): T & Scripts {
  const reading = { readJobs, readUri, unfinishedJobs, touchJobSet, removeJobSet, learnFacts };
  const ofRecords = { openJobSet, writeJobSet, learnJobs, learnEnds };
  const define = (name: string, ...parts: string[]): void =>
    client.defineCommand(name, { numberOfKeys: 1, lua: parts.join('\n') });
  for (const [name, lua] of Object.entries(reading)) define(name, buckets, lua);
  for (const [name, lua] of Object.entries(ofRecords)) define(name, buckets, writing, lua);
  return client as T & Scripts;
}
