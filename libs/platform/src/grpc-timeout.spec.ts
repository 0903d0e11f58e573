import { timeoutMsOf } from './grpc-timeout.js';

describe('a grpc-timeout', () => {
  it.each([
    ['600H', 600 * 3_600_000],
    ['99999999H', 99_999_999 * 3_600_000],
    ['90M', 5_400_000],
    ['10S', 10_000],
    ['500m', 500],
    ['1500u', 1.5],
    ['99999999n', 99.999_999],
    ['0n', 0],
  ])('is up to eight digits of a unit: %s', (header, ms) => {
    expect(timeoutMsOf(header)).toBeCloseTo(ms, 9);
  });

  it.each(['', 'S', '10', '123456789S', '1.5S', '-1S', ' 1S', '1S ', '1s', '1S\n', '１S'])(
    'is none where it is malformed: %j',
    (header) => expect(timeoutMsOf(header)).toBeUndefined(),
  );
});
