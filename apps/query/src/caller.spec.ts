import { MonotonicTime, addMs } from '@ajs/job-state';
import { monotonicNow } from '@ajs/platform';
import { status } from '@grpc/grpc-js';
import { callerGone } from './caller.js';

it.each([
  ['DEADLINE_EXCEEDED', 'after its deadline', -1_000],
  ['DEADLINE_EXCEEDED', 'at its deadline by a clock that is a moment ahead of ours', 20],
  ['CANCELLED', 'before its deadline', 60_000],
  ['CANCELLED', 'without a deadline', Infinity],
] as const)('a call ends %s where its caller goes %s', (code, _, leftMs) => {
  const deadline = leftMs === Infinity ? MonotonicTime(Infinity) : addMs(monotonicNow(), leftMs);
  expect(callerGone({ deadline }).code).toBe(status[code]);
});
