import { status } from '@grpc/grpc-js';
import { MessageReader, type ReceivedMessage } from './message-reader.js';

const LIMIT = 1_000;

function framed(message: Buffer, compressed = false): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt8(compressed ? 1 : 0);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

function all(reader: MessageReader): ReceivedMessage[] {
  const messages: ReceivedMessage[] = [];
  for (let next = reader.next(); next !== undefined; next = reader.next()) messages.push(next);
  return messages;
}

describe('messages', () => {
  const texts = ['', 'a', 'x'.repeat(300), '', 'last'];
  const bytes = Buffer.concat(texts.map((text, i) => framed(Buffer.from(text), i % 2 === 1)));
  const expected = texts.map((text, i) => ({ isCompressed: i % 2 === 1, bytes: Buffer.from(text) }));

  it('are the same wherever their bytes are cut in two', () => {
    for (let cut = 0; cut <= bytes.length; cut++) {
      const reader = new MessageReader(LIMIT);
      reader.push(bytes.subarray(0, cut));
      const before = all(reader);
      reader.push(bytes.subarray(cut));
      expect([...before, ...all(reader)]).toEqual(expected);
      expect(reader.isEmpty).toBe(true);
    }
  });

  it('are the same where each byte comes by itself, taken at once or at the end', () => {
    const [atOnce, atEnd] = [new MessageReader(LIMIT), new MessageReader(LIMIT)];
    const taken: ReceivedMessage[] = [];
    for (const byte of bytes) {
      atOnce.push(Buffer.from([byte]));
      taken.push(...all(atOnce));
      atEnd.push(Buffer.from([byte]));
    }
    expect(taken).toEqual(expected);
    expect(all(atEnd)).toEqual(expected);
  });

  it('that were taken stay as they are, whatever comes after them', () => {
    const reader = new MessageReader(LIMIT);
    reader.push(framed(Buffer.from('first')).subarray(0, 7));
    reader.push(Buffer.concat([framed(Buffer.from('first')).subarray(7), framed(Buffer.from('second'))]));
    const first = reader.next();
    for (let i = 0; i < 100; i++) reader.push(framed(Buffer.from('later')));
    expect(first?.bytes.toString()).toBe('first');
    expect(reader.next()?.bytes.toString()).toBe('second');
  });

  it('may be as long as the limit, and no longer, as their prefix says', () => {
    const reader = new MessageReader(LIMIT);
    reader.push(framed(Buffer.alloc(LIMIT)));
    expect(reader.next()?.bytes).toHaveLength(LIMIT);
    reader.push(framed(Buffer.alloc(LIMIT + 1)).subarray(0, 5));
    expect(() => reader.next()).toThrow(
      expect.objectContaining({
        code: status.RESOURCE_EXHAUSTED,
        details: 'the message has 1001 bytes; this method accepts at most 1000',
      }) as Error,
    );
  });
});

describe('the memory that is held', () => {
  it('is never more than twice of what has come, whatever a prefix claims', () => {
    const reader = new MessageReader(2 ** 32);
    const claim = Buffer.from([0, 0xff, 0xff, 0xff, 0xff]);
    for (const [came, byte] of [...claim, ...Buffer.alloc(5_000)].entries()) {
      reader.push(Buffer.from([byte]));
      expect(reader.next()).toBeUndefined();
      expect(reader.held).toBeGreaterThanOrEqual(reader.unread);
      expect(reader.held).toBeLessThanOrEqual(2 * (came + 1));
    }
  });

  it('is none of the network’s buffer, of which a chunk is a part', () => {
    const network = Buffer.alloc(64 * 1024);
    network.writeUInt32BE(100, 1);
    const reader = new MessageReader(LIMIT);
    reader.push(network.subarray(0, 50));
    reader.push(network.subarray(50, 105));
    expect(reader.next()?.bytes.buffer).not.toBe(network.buffer);
  });

  it('is nothing once all is taken, or dropped', () => {
    const reader = new MessageReader(LIMIT);
    reader.push(framed(Buffer.from('whole')));
    expect(reader.held).toBe(10);
    all(reader);
    expect(reader.held).toBe(0);
    reader.push(framed(Buffer.from('part')).subarray(0, 6));
    reader.clear();
    expect([reader.held, reader.unread]).toEqual([0, 0]);
  });
});
