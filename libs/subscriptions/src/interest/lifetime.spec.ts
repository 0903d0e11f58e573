import { isWanted } from './lifetime.js';

const LIFETIME = { followFor: 10, followUnfinishedFor: 60, keepFor: 1_000 };

describe('whether a job set is followed', () => {
  it.each([
    ['it is, after a poll a moment ago', 9, 0, true],
    ['it is not, long after the last poll', 10, 0, false],
    ['it is for longer, with unfinished jobs', 59, 1, true],
    ['it is not for ever, even with unfinished jobs', 60, 1, false],
    ['it is not where it was never polled, or forgotten', undefined, 1, false],
  ])('%s', (_, age, unfinished, wanted) => expect(isWanted(LIFETIME, age, unfinished)).toBe(wanted));
});
