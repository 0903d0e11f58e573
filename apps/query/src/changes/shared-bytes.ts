import type { JobSetKey } from '@ajs/job-state';
import type { JobSetEvent } from './job-set-stream.js';

/** Events as bytes. They are left as they are: others may be sent the same. Empty where nothing is to be sent. */
export type SharedBytes = (key: JobSetKey, events: readonly JobSetEvent[]) => Buffer;

/** Has the bytes of events, which many streams send, made once for all of them. */
export function sharedBytes(make: SharedBytes): SharedBytes {
  const made = new WeakMap<readonly JobSetEvent[], Buffer>();
  return (key, events) => {
    let bytes = made.get(events);
    if (bytes === undefined) made.set(events, (bytes = make(key, events)));
    return bytes;
  };
}
