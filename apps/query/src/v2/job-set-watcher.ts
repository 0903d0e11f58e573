import { status } from '@grpc/grpc-js';
import type { JobSetKey } from '@ajs/job-state';
import type { JobSetChanges } from '@ajs/job-store';
import type { Access } from '../access/access.js';
import type { Caller } from '../caller.js';
import type { JobSetFeeds } from '../changes/job-set-feeds.js';
import { JobSetStream, type SendEvents } from '../changes/job-set-stream.js';
import { fromToken } from '../changes/stream-place.js';
import type { NoteInterest } from '../interest/note-interest.js';
import { RpcError } from '../rpc-error.js';
import { RedisReadError, fromRedis } from '../store/redis-read.js';
import { withResumeToken, type OpenStreams } from './open-streams.js';

export interface JobSetWatcherOptions {
  readonly access: Pick<Access, 'toQueue'>;
  readonly feeds: Pick<JobSetFeeds, 'of'>;
  readonly changes: Pick<JobSetChanges, 'readChanges'>;
  readonly streams: OpenStreams;
  readonly noteInterest: NoteInterest;
}

/** Streams the jobs of job sets and their changes, whatever they are sent over. */
export class JobSetWatcher {
  constructor(private readonly options: JobSetWatcherOptions) {}

  /**
   * Never resolves. Rejects with the RpcError that ends the stream: its metadata has the `resume-token`, but where the token that was given
   * is not valid (INVALID_ARGUMENT), or too old (OUT_OF_RANGE).
   */
  async watch(key: JobSetKey, token: string, caller: Caller, send: SendEvents): Promise<never> {
    const { access, feeds, changes, streams, noteInterest } = this.options;
    const place = fromToken(token);
    await access.toQueue(caller, key.queue);
    noteInterest(key, undefined, caller);
    const reader = {
      readChanges: (...args: Parameters<JobSetChanges['readChanges']>) =>
        fromRedis(changes.readChanges(...args)),
    };
    const stream = new JobSetStream(feeds.of(key, caller), reader, send, place);
    try {
      const end = (error: RpcError): void => stream.end(error);
      const call = { method: 'watchJobSet', caller, queues: [key.queue], jobCount: 0, end } as const;
      return await streams.run(call, () => stream.run());
    } catch (error) {
      throw toStreamError(error, stream.token);
    }
  }
}

function toStreamError(error: unknown, token: string): unknown {
  if (error instanceof RedisReadError) {
    return withResumeToken(
      new RpcError(status.UNAVAILABLE, `${error.message}; resume with the token in the trailer resume-token`),
      token,
    );
  }
  if (!(error instanceof RpcError) || error.code === status.OUT_OF_RANGE) return error;
  return withResumeToken(error, token);
}
