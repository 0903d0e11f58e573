import { JobId } from '@ajs/job-state';
import { packJobId } from './job-id-codec.js';
import { comparePlaces, formatPosition, parsePosition, placeOf } from './job-place.js';

const ULID = JobId('01m85vnck01jqpr3vd00000001');

describe('the place of a job', () => {
  it('is the hash by which buckets are found, its bits the other way round', () => {
    expect(placeOf(packJobId(ULID))).toBe(2 ** 31);
    expect(placeOf(packJobId(JobId('01m85vnck01jqpr3vd00000002')))).toBe(2 ** 30);
  });

  it('is found for any text', () => {
    const place = placeOf(packJobId(JobId('no ULID')));
    expect(place).toBe(placeOf(packJobId(JobId('no ULID'))));
    expect(place).not.toBe(placeOf(packJobId(JobId('another'))));
  });

  it('is distinguished by the id where two jobs have the same', () => {
    const at = (id: string) => ({ place: 5, packedId: Buffer.from(id) });
    expect(comparePlaces(at('a'), at('b'))).toBeLessThan(0);
    expect(comparePlaces(at('a'), at('a'))).toBe(0);
    expect(comparePlaces({ ...at('z'), place: 4 }, at('a'))).toBeLessThan(0);
  });
});

describe('a position in a list', () => {
  it.each([
    { place: 0, packedId: Buffer.alloc(0) },
    { place: 2 ** 32 - 1, packedId: packJobId(ULID) },
  ])('is read as it was written: %j', (position) => {
    expect(parsePosition(formatPosition(position))).toEqual(position);
  });

  it.each(['', '1', '.', '-1.', '4294967296.', '1.a b', `1.${'a'.repeat(101)}`, '1.a\n'])(
    'is no other text: %j',
    (text) => {
      expect(() => parsePosition(text)).toThrow(RangeError);
    },
  );
});
