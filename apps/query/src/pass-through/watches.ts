import { JobSetRequest, WatchRequest } from '@ajs/contracts/api/event';

const WATCH = '/api.Event/Watch';
const JOB_SET_EVENTS = '/api.Event/GetJobSetEvents';

/**
 * Whether a call is a watch, which stays open and costs an Armada server one connection to its Redis. `request` is its first message, if
 * there was one. One that cannot be decoded here counts as a watch: Armada may decode it.
 */
export function isWatch(path: string, request: Buffer | undefined): boolean {
  if (path !== JOB_SET_EVENTS) return path === WATCH;
  try {
    return request !== undefined && JobSetRequest.decode(request).watch;
  } catch {
    return true;
  }
}

/** The queue in the first message of a watch; `undefined` where the message cannot be decoded. */
export function queueOfWatch(path: string, request: Buffer): string | undefined {
  try {
    return (path === WATCH ? WatchRequest : JobSetRequest).decode(request).queue;
  } catch {
    return undefined;
  }
}
