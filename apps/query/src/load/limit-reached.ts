import type { QueryMetrics } from '@ajs/observability';
import type { FairShares } from '@ajs/platform';
import { status } from '@grpc/grpc-js';
import { RpcError } from '../rpc-error.js';

/** What callers share, each with what it holds, for people, and its setting. */
const POOLS = {
  working_calls: ['processes', 'calls', 'MAX_CONCURRENT_CALLS'],
  waiting_calls: ['lets', 'calls wait', 'MAX_WAITING_CALLS'],
  open_waits: ['lets', 'calls wait for jobs', 'MAX_OPEN_WAITS'],
  open_watches: ['keeps', 'streams of jobs open', 'MAX_OPEN_WATCHES'],
  awaited_jobs: ['waits for', 'jobs', 'MAX_AWAITED_JOBS'],
  forwarded_calls: ['forwards', 'calls', 'MAX_FORWARDED_CALLS'],
  forwarded_watches: ['forwards', 'watches', 'MAX_FORWARDED_WATCHES'],
} as const;

type CallPool = keyof typeof POOLS;

/** Called for each refusal: what was used up, the whole pool or the caller's share of it. */
export type Refused = (pool: CallPool | 'message_memory', limit: 'share' | 'total') => void;

/** Counts refusals in the metrics. */
export const countRefusals =
  ({ shedCalls }: Pick<QueryMetrics, 'shedCalls'>): Refused =>
  (pool, limit) =>
    shedCalls.inc({ pool, limit });

/** The error for a caller that did not get what it wanted of a pool, one place unless told otherwise. It is counted. */
export function limitReached(
  pool: CallPool,
  { capacity, free }: FairShares,
  refused: Refused,
  wanted = 1,
): RpcError {
  const [verb, what, setting] = POOLS[pool];
  const replica = `this replica ${verb} at most ${capacity} ${what} at once (${setting})`;
  const isShare = free >= wanted;
  refused(pool, isShare ? 'share' : 'total');
  return new RpcError(
    status.RESOURCE_EXHAUSTED,
    isShare
      ? `your share is used up: ${replica}, and keeps room for other callers; retry, or make fewer calls at once`
      : `limit reached: ${replica}; retry, or add replicas`,
  );
}
