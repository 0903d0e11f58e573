import { status } from '@grpc/grpc-js';
import { requestedIds } from './requested-ids.js';

describe('the ids of a request', () => {
  it('are asked once each, in their order', () => {
    expect(requestedIds('job_ids', ['b', 'a', 'b'], 3)).toEqual(['b', 'a']);
    expect(requestedIds('job_ids', [], 3)).toEqual([]);
  });

  it('are refused where they are too many, with the limit', () => {
    expect(() => requestedIds('job_ids', ['a', 'a', 'a'], 2)).toThrow(
      expect.objectContaining({
        code: status.INVALID_ARGUMENT,
        details: 'job_ids holds 3 ids; at most 2 may be asked about in one call',
      }) as Error,
    );
  });

  it.each([
    ['', 'is empty'],
    ['é'.repeat(513), 'is longer than 1024 bytes'],
    ['a\ufffd', 'is not valid UTF-8'],
  ])('are refused where one cannot be an id (%#), with its place', (id, problem) => {
    expect(() => requestedIds('run_ids', ['fine', id], 10)).toThrow(
      expect.objectContaining({
        code: status.INVALID_ARGUMENT,
        details: `run_ids[1] ${problem}`,
      }) as Error,
    );
  });

  it('may be as long as Armada’s may', () => {
    expect(requestedIds('job_ids', ['é'.repeat(512)], 1)).toHaveLength(1);
  });
});
