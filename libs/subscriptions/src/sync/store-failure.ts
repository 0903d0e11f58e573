import { StaleWriterError, redisErrorKind } from '@ajs/job-store';
import { LeaseLostError } from './lease.js';

/** Why nothing can be written any more; only `retryable` heals by opening the job set again. */
export type StoreFailure =
  | { readonly kind: 'retryable' | 'lease-lost' }
  | { readonly kind: 'newer-layout' | 'failed'; readonly error: Error };

/** Whether the same command may succeed later: Redis is unavailable, or refuses writes for as long as it has no room. */
export function isRetryable(error: unknown): boolean {
  const kind = redisErrorKind(error);
  return kind === 'unavailable' || kind === 'write-refused';
}

export function storeFailureOf(error: unknown): StoreFailure {
  if (error instanceof LeaseLostError) return { kind: 'lease-lost' };
  if (error instanceof StaleWriterError || isRetryable(error)) return { kind: 'retryable' };
  return { kind: 'failed', error: error instanceof Error ? error : new Error(String(error)) };
}
