import { status } from '@grpc/grpc-js';
import { requestedIds } from './requested-ids.js';

describe('the ids of a request', () => {
  it('are taken once each, in their order', () => {
    expect(requestedIds('job_ids', ['b', 'a', 'b'], 3)).toEqual(['b', 'a']);
    expect(requestedIds('job_ids', [], 3)).toEqual([]);
  });

  it('are rejected with the limit where there are too many', () => {
    expect(() => requestedIds('job_ids', ['a', 'a', 'a'], 2)).toThrow(
      expect.objectContaining({
        code: status.INVALID_ARGUMENT,
        details: 'job_ids has 3 ids, more than the 2 that one call may have (MAX_JOB_IDS); split the request',
      }) as Error,
    );
  });

  it.each([
    ['', 'is empty'],
    ['é'.repeat(32), 'is longer than 63 bytes'],
    ['a\ufffd', 'is not valid UTF-8'],
  ])('are rejected with the index of one that cannot be an id (%#)', (id, problem) => {
    expect(() => requestedIds('run_ids', ['fine', id], 10)).toThrow(
      expect.objectContaining({
        code: status.INVALID_ARGUMENT,
        details: `run_ids[1] ${problem}`,
      }) as Error,
    );
  });

  it('may be as long as any of Armada can be', () => {
    expect(requestedIds('job_ids', ['x'.repeat(63)], 1)).toHaveLength(1);
  });
});
