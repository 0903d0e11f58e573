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

  it.each([
    'Received message larger than max (20000000 vs 16777216)',
    'Received message that decompresses to a size larger than 16777216',
    'grpc: trying to send message larger than max (20000000 vs. 16777216)',
  ])('with "%s" is "unreadable", and names the setting', (details) => {
    const end = classifyEnd({ code: status.RESOURCE_EXHAUSTED, details });
    expect(end).toEqual({ kind: 'unreadable', reason: `RESOURCE_EXHAUSTED: ${details} (MAX_MESSAGE_BYTES)` });
    expect(classifyEnd({ code: status.UNKNOWN, details }).kind).toBe('retry');
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
