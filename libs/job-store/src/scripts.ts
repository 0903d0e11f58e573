import type { Cluster, Redis } from 'ioredis';
import buckets from './lua/buckets.lua';
import openJobSet from './lua/openJobSet-1.lua';
import readJobs from './lua/readJobs-1.lua';
import removeJobSet from './lua/removeJobSet-1.lua';
import touchJobSet from './lua/touchJobSet-1.lua';
import writeJobSet from './lua/writeJobSet-1.lua';

export type RedisClient = Redis | Cluster;
export type ScriptArgument = string | number | Buffer;
type Script<T> = (meta: string, ...args: ScriptArgument[]) => Promise<T>;

/** As `lua/readJobs-1.lua` describes it. */
export type JobsReply = [now: number, ...(Buffer | number | null)[]];

/** The scripts of lua/, each described at its head. Replies that hold bytes are read as buffers. */
export interface Scripts {
  openJobSetBuffer: Script<
    [
      now: number,
      generation: Buffer,
      cursor: Buffer,
      revision: Buffer,
      unfinished: Buffer,
      lost: number,
      words: Buffer[],
    ]
  >;
  writeJobSet: Script<[now: number, revision?: number, unfinished?: number, kept?: number]>;
  readJobsBuffer: Script<JobsReply>;
  touchJobSet: Script<0 | 1 | 2>;
  removeJobSet: Script<[generation?: string, buckets?: string]>;
}

/** The client with the scripts on it. May be called again for the same client. */
export function withScripts<T extends RedisClient>(client: T): T & Scripts {
  const scripts = { openJobSet, writeJobSet, readJobs, touchJobSet, removeJobSet };
  for (const [name, lua] of Object.entries(scripts)) {
    client.defineCommand(name, { numberOfKeys: 1, lua: `${buckets}\n${lua}` });
  }
  return client as T & Scripts;
}
