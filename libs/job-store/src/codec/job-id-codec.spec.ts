import { JobId, ULID_DIGITS } from '@ajs/job-state';
import fc from 'fast-check';
import { packJobId, packJobIds, unpackJobId, unpackJobIds } from './job-id-codec.js';

const digits = (from: string, length: number) =>
  fc
    .array(fc.constantFrom(...Array.from(from)), { minLength: length, maxLength: length })
    .map((some) => some.join(''));
const ulid = fc.tuple(digits('01234567', 1), digits(ULID_DIGITS, 25)).map(([first, rest]) => first + rest);
/** Also those that are nearly ULIDs: the right length, but for one character. */
const other = fc.oneof(
  fc.string({ unit: 'binary', minLength: 1, maxLength: 100 }),
  fc
    .tuple(ulid, fc.nat(25), fc.constantFrom('i', 'l', 'o', 'u', 'A', '-', '\0', '\u0130', '\u{ff11}'))
    .map(([text, at, character]) => text.slice(0, at) + character + text.slice(at + 1)),
);
const jobId = fc.oneof(ulid, other).map(JobId);

describe('a packed job id', () => {
  it('of a ULID is its number, in 16 bytes', () => {
    fc.assert(
      fc.property(ulid, (text) => {
        let number = 0n;
        for (const digit of text) number = number * 32n + BigInt(ULID_DIGITS.indexOf(digit));
        const bytes = number.toString(16).padStart(32, '0');
        expect(packJobId(JobId(text)).toString('hex')).toBe(
          bytes.startsWith('ff') ? `ff${Buffer.from(text).toString('hex')}` : bytes,
        );
      }),
    );
  });

  it('of any other text is the text, behind a byte that says so', () => {
    fc.assert(
      fc.property(other, (text) => {
        expect(packJobId(JobId(text))).toEqual(Buffer.concat([Buffer.of(0xff), Buffer.from(text)]));
      }),
    );
    // Greater than 16 bytes can say.
    expect(packJobId(JobId('8'.padEnd(26, '0')))[0]).toBe(0xff);
    expect(packJobId(JobId('7z'.padEnd(26, '0')))[0]).toBe(0xff);
  });

  it('says which job it is, alone and among others', () => {
    fc.assert(fc.property(jobId, (id) => expect(unpackJobId(packJobId(id))).toBe(id)));
    fc.assert(
      fc.property(fc.array(jobId, { maxLength: 20 }), (ids) => {
        expect(unpackJobIds(packJobIds(ids))).toEqual(ids);
      }),
    );
  });
});
