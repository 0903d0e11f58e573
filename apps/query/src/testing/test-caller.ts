import { MonotonicTime } from '@ajs/job-state';
import type { Caller } from '../caller.js';

/** A caller that waits for its answer without a deadline and shows no credentials, but for what is given. */
export function testCaller(overrides: Partial<Caller> = {}): Caller {
  return {
    key: 'a caller',
    deadline: MonotonicTime(Infinity),
    isGone: () => false,
    whenGone: () => {},
    address: () => '',
    certificateName: () => undefined,
    authorization: [],
    ...overrides,
  };
}
