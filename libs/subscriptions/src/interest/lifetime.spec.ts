import { isWanted } from './lifetime.js';

const LIFETIME = { followFor: 10, followUnfinishedFor: 60, keepFor: 1_000 };

describe('what is to be followed', () => {
  it.each([
    ['asked a moment ago', 9, 0, true],
    ['not asked for longer', 10, 0, false],
    ['not asked for longer, with jobs that have not ended', 59, 1, true],
    ['not asked for too long, with jobs that have not ended', 60, 1, false],
    ['never asked, or forgotten', undefined, 1, false],
  ])('%s', (_, age, unfinished, wanted) => expect(isWanted(LIFETIME, age, unfinished)).toBe(wanted));
});
