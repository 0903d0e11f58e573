import { JobId, mintedAt } from './job-id.js';
import { ArmadaTime } from './times.js';

describe('the time in a job id', () => {
  it('is that of the ULID, to the millisecond', () => {
    expect(mintedAt(JobId('01arz3ndektsv4rrffq69g5fav'))).toBe(ArmadaTime(1_469_922_850_259));
    expect(mintedAt(JobId('01arz3ndemtsv4rrffq69g5fav'))).toBe(ArmadaTime(1_469_922_850_260));
    expect(mintedAt(JobId(`0000000000${'0'.repeat(16)}`))).toBe(ArmadaTime(0));
    expect(mintedAt(JobId(`7zzzzzzzzz${'z'.repeat(16)}`))).toBe(ArmadaTime(2 ** 48 - 1));
  });

  it.each([
    ['has too few digits', '01arz3ndektsv4rrffq69g5fa'],
    ['has too many digits', '01arz3ndektsv4rrffq69g5favx'],
    ['has more than 128 bits', '81arz3ndektsv4rrffq69g5fav'],
    ['has a digit that ULIDs lack, in its time', '01arz3ndeltsv4rrffq69g5fav'],
    ['has a digit that ULIDs lack, behind its time', '01arz3ndektsv4rrffq69g5fau'],
    ['is in upper case, as Armada’s are not', '01ARZ3NDEKTSV4RRFFQ69G5FAV'],
    ['is followed by a line break', '01arz3ndektsv4rrffq69g5fav\n'],
    ['is empty', ''],
  ])('is unknown where the id %s', (_, jobId) => {
    expect(mintedAt(JobId(jobId))).toBeUndefined();
  });
});
