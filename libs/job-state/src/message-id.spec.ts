import fc from 'fast-check';
import { ArmadaTime, compareMessageIds, formatMessageId, messageTime, parseMessageId } from './index.js';

const id = fc.record({
  ms: fc.integer({ min: 0, max: 1e14 }),
  sequence: fc.nat(),
  index: fc.nat({ max: 999_999_999 }),
  last: fc.boolean(),
});

describe('message ids', () => {
  it('are read as they are written', () => {
    fc.assert(fc.property(id, (one) => expect(parseMessageId(formatMessageId(one))).toEqual(one)));
  });

  it('are compared as numbers, not as text', () => {
    const order = ['999:0:0:1', '1000:0:0:0', '1000:0:2:0', '1000:0:10:0', '1000:9:0:0', '1000:10:0:1'];
    const ids = order.map((text) => parseMessageId(text));
    const sorted = [...ids].reverse().sort((a, b) => (a && b ? compareMessageIds(a, b) : 0));
    expect(sorted).toEqual(ids);
  });

  it('may be in the older form, which names the first message of an entry', () => {
    expect(parseMessageId('1795493217053-31')).toEqual({
      ms: 1_795_493_217_053,
      sequence: 31,
      index: 0,
      last: false,
    });
  });

  it.each([
    ['999999999999999:999999999999999:999999999:1', '1000000000000000:0:0:1'],
    ['0:999999999999999:0:1', '0:1000000000000000:0:1'],
    ['0:0:999999999:1', '0:0:1000000000:1'],
    ['999999999999999-999999999999999', '0-1000000000000000'],
  ])('have numbers up to a length: %s is read, and %s is not', (longest, longer) => {
    expect(parseMessageId(longest)).toBeDefined();
    expect(parseMessageId(longer)).toBeUndefined();
  });

  it('say when their message was stored', () => {
    expect(messageTime({ ms: 7, sequence: 1, index: 2, last: true })).toBe(ArmadaTime(7));
  });

  it.each([
    '',
    '1',
    '1:2',
    '1:2:3',
    '1:2:3:2',
    '1:2:3:4:5',
    '1:2:3:01',
    '1:2:3:',
    '1::3:0',
    ':2:3:0',
    '1-2:3:0',
    '1-',
    '-2',
    'a:0:0:0',
    '-1:0:0:0',
    '1.5:0:0:0',
    ' 1:0:0:0',
    '1:0:0:1x',
    ' 1-2',
    '1-2x',
    '9'.repeat(16) + ':0:0:0',
  ])('are not read from "%s"', (text) => expect(parseMessageId(text)).toBeUndefined());
});
