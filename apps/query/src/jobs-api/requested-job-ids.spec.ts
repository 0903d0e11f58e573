import { status } from '@grpc/grpc-js';
import { requestedJobIds } from './requested-job-ids.js';

describe('the ids of a request', () => {
  it('are asked once each, in their order', () => {
    expect(requestedJobIds('job_ids', ['b', 'a', 'b'], 3)).toEqual(['b', 'a']);
    expect(requestedJobIds('job_ids', [], 3)).toEqual([]);
  });

  it('are refused where they are too many, with the limit', () => {
    expect(() => requestedJobIds('job_ids', ['a', 'a', 'a'], 2)).toThrow(
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
    expect(() => requestedJobIds('run_ids', ['fine', id], 10)).toThrow(
      expect.objectContaining({
        code: status.INVALID_ARGUMENT,
        details: `run_ids[1] ${problem}`,
      }) as Error,
    );
  });

  it('may be as long as Armada’s may', () => {
    expect(requestedJobIds('job_ids', ['é'.repeat(512)], 1)).toHaveLength(1);
  });
});
