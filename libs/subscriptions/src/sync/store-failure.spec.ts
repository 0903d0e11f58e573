import { NewerLayoutError, StaleWriterError } from '@ajs/job-store';
import { LeaseLostError } from './lease.js';
import { isRetryable, storeFailureOf } from './store-failure.js';

const KEY = { queue: 'q', jobSetId: 's' };

describe('a failure of the store', () => {
  it.each([
    ['is retryable while Redis is unavailable', new Error('Connection is closed.'), 'retryable'],
    ['is retryable while Redis refuses writes', new Error('OOM command not allowed'), 'retryable'],
    ['is retryable where another owner wrote the job set', new StaleWriterError(KEY), 'retryable'],
    ['is the loss of the lease', new LeaseLostError(), 'lease-lost'],
    ['is a layout that this version cannot read', new NewerLayoutError(KEY, 9, 1), 'unreadable'],
    ['is final where a script has a defect', new Error('ERR user_script:1: attempt to index nil'), 'failed'],
    ['is final where Redis denies the command', new Error('NOPERM this user has no permissions'), 'failed'],
    ['is final where our own code has a defect', new TypeError('undefined is not a function'), 'failed'],
  ])('%s', (_, error, kind) => expect(storeFailureOf(error).kind).toBe(kind));

  it('carries what was thrown, also where that is no error', () => {
    const error = new TypeError('no');
    expect(storeFailureOf(error)).toEqual({ kind: 'failed', error });
    expect(storeFailureOf('no')).toEqual({ kind: 'failed', error: new Error('no') });
  });

  it('is healed by the same command only where Redis is unavailable or refuses writes', () => {
    expect(isRetryable(new Error('Connection is closed.'))).toBe(true);
    expect(isRetryable(new Error('MISCONF Redis is configured to save RDB snapshots'))).toBe(true);
    expect(isRetryable(new StaleWriterError(KEY))).toBe(false);
    expect(isRetryable(new NewerLayoutError(KEY, 9, 1))).toBe(false);
    expect(isRetryable(new TypeError('undefined is not a function'))).toBe(false);
  });
});
