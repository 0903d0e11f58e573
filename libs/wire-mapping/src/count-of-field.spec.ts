import { JobDetailsRequest } from '@ajs/contracts/api/job';
import { countOfField } from './count-of-field.js';

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

describe('the number of occurrences of a field', () => {
  it.each([0, 1, 2, 1_000])('is the length of the list that decoding makes of it (%s)', (count) => {
    const jobIds = Array.from({ length: count }, (_, i) => (i % 2 === 0 ? '' : `id ${i}`));
    const encoded = JobDetailsRequest.encode({ jobIds, expandJobSpec: true, expandJobRun: true }).finish();
    expect(countOfField(encoded, 1)).toBe(JobDetailsRequest.decode(encoded).jobIds.length);
    expect(countOfField(encoded, 1)).toBe(count);
  });

  it('counts it also among other fields, and where it is long', () => {
    const some = [0x0a, 1, 0x61];
    const long = [0x0a, 0x80, 1, ...new Array<number>(128).fill(0x61)];
    const other = [0x10, 7];
    expect(countOfField(bytes(...some, ...some, ...other, ...some, ...long, ...some), 1)).toBe(5);
    expect(countOfField(bytes(...long, ...some), 1)).toBe(2);
  });

  it('does not include those within other fields', () => {
    // Field 4, of 4 bytes that look like two of field 1; then field 1.
    expect(countOfField(bytes(0x22, 4, 0x0a, 0, 0x0a, 0, 0x0a, 0), 1)).toBe(1);
  });

  it('is not known where the bytes are no message', () => {
    expect(() => countOfField(bytes(0x0a, 5, 1), 1)).toThrow();
    expect(() => countOfField(bytes(0x0a), 1)).toThrow();
  });
});
