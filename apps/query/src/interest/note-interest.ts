import type { JobSetTag } from '@ajs/redis-keys';
import type { JobSetKey } from '@ajs/job-state';
import type { Caller } from '../caller.js';

/**
 * Notes a poll of a job set, aside from the way to its answer. `tag` is the job set's, where it is at hand; `caller` is who named
 * the job set, left out where Armada did.
 */
export type NoteInterest = (key: JobSetKey, tag?: JobSetTag, caller?: Pick<Caller, 'key'>) => void;
