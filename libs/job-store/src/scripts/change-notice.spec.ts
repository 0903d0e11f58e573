import { readNotice } from './change-notice.js';

/** A notice of generation `g`, with revision 5 behind 3. */
const notice = (format: number, isWhole: number, ...jobs: number[]): Buffer =>
  Buffer.of(format, isWhole, 1, 'g'.charCodeAt(0), 3, 5, ...jobs);

describe('a notice of changes', () => {
  it('has the jobs that changed, or says that they are too much to be sent', () => {
    const position = { generation: 'g', previous: 3, revision: 5 };
    expect(readNotice(notice(1, 1))).toEqual({ ...position, jobs: [] });
    expect(readNotice(notice(1, 0))).toEqual(position);
    const job = [2, 0xff, 0x61, 1, 7, 0, 1, 8];
    expect(readNotice(notice(1, 1, ...job))?.jobs?.map(({ packedId, stored }) => [packedId, stored])).toEqual(
      [
        [
          Buffer.of(0xff, 0x61),
          { record: Buffer.of(7), failureDetails: undefined, enrichment: Buffer.of(8) },
        ],
      ],
    );
  });

  it('of another version is not read: its receiver takes it for missed', () => {
    expect(readNotice(notice(2, 1))).toBeUndefined();
  });
});
