import { status } from '@grpc/grpc-js';
import { classifyEnd } from './stream-end.js';

const CODES = Object.values(status).filter((code) => typeof code === 'number');
/** All others may pass. */
const DEFINITE = new Map([
  [status.OK, 'end'],
  [status.PERMISSION_DENIED, 'denied'],
  [status.NOT_FOUND, 'gone'],
]);

describe('the end of a stream', () => {
  it.each(CODES.map((code) => [status[code], DEFINITE.get(code) ?? 'retry', code] as const))(
    'with status %s is "%s"',
    (_, kind, code) => {
      expect(classifyEnd({ code, details: 'x' }).kind).toBe(kind);
    },
  );

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
