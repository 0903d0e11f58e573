import { NewerLayoutError, StaleWriterError, redisErrorKind } from '@ajs/job-store';
import { LeaseLostError } from './lease.js';

/**
 * Why a job set cannot be written any more.
 * - `retryable`: Redis is unavailable or refuses writes, or another owner wrote the job set: open it again.
 * - `lease-lost`: another replica may own it now.
 * - `unreadable`: a newer version owns it.
 * - `failed`: anything else. Most likely a defect: trying again at once changes nothing.
 */
export type StoreFailure =
  | { readonly kind: 'retryable' | 'lease-lost' }
  | { readonly kind: 'unreadable' | 'failed'; readonly error: Error };

/** Whether the same command may succeed later: Redis is unavailable, or refuses writes for as long as it has no room. */
export function isRetryable(error: unknown): boolean {
  const kind = redisErrorKind(error);
  return kind === 'unavailable' || kind === 'write-refused';
}

export function storeFailureOf(error: unknown): StoreFailure {
  if (error instanceof LeaseLostError) return { kind: 'lease-lost' };
  if (error instanceof StaleWriterError || isRetryable(error)) return { kind: 'retryable' };
  if (error instanceof NewerLayoutError) return { kind: 'unreadable', error };
  return { kind: 'failed', error: error instanceof Error ? error : new Error(String(error)) };
}
