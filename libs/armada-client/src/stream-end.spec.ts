import { status } from '@grpc/grpc-js';
import { classifyEnd } from './stream-end.js';

describe('the end of a stream', () => {
  it.each([
    [status.OK, 'end'],
    [status.PERMISSION_DENIED, 'denied'],
    [status.NOT_FOUND, 'gone'],
    [status.UNAVAILABLE, 'retry'],
    [status.INTERNAL, 'retry'],
    [status.UNAUTHENTICATED, 'retry'],
    [status.RESOURCE_EXHAUSTED, 'retry'],
    [status.UNKNOWN, 'retry'],
    [status.INVALID_ARGUMENT, 'retry'],
  ])('with status %i is "%s"', (code, kind) => {
    expect(classifyEnd({ code, details: 'x' }).kind).toBe(kind);
  });

  it('is described in one line of a bounded length', () => {
    const { reason } = classifyEnd({
      code: status.UNAVAILABLE,
      details: `first\nsecond ${'x'.repeat(10_000)}`,
    });
    expect(reason).toMatch(/^UNAVAILABLE: first second x+…$/);
    expect(reason.length).toBe(500);
  });
});
