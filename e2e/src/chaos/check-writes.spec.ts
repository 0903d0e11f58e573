import { checkWrites } from './check-writes.js';
import type { Meta, MetaChange } from './history.js';

const meta = (cursor: string, revision: number, generation = 'g'): Meta => ({
  generation,
  cursor,
  revision: `${revision}`,
});
const change = (before: Meta, after: Meta, rest: Partial<MetaChange> = {}): MetaChange => ({
  at: 0,
  jobSet: 'ajs:{q/s}:meta',
  by: 'ingester 1',
  via: 'script',
  before,
  after,
  ...rest,
});
const rulesBroken = (one: MetaChange): string[] => checkWrites([one]).map(({ rule }) => rule);

describe('a write', () => {
  it('is right where its writer knew what was there', () => {
    expect(
      rulesBroken(change(meta('1:0:0:1', 4), meta('2:0:0:1', 5), { expected: meta('1:0:0:1', 4) })),
    ).toEqual([]);
  });

  it('by one who did not know what was there is a stale holder’s', () => {
    for (const expected of [meta('1:0:0:1', 3), meta('0:0:0:1', 4), meta('1:0:0:1', 4, 'other')]) {
      expect(rulesBroken(change(meta('1:0:0:1', 4), meta('2:0:0:1', 5), { expected }))).toEqual([
        'a stale holder wrote (P3)',
      ]);
    }
  });

  it('outside of a script moves a cursor without its states', () => {
    expect(rulesBroken(change(meta('1:0:0:1', 4), meta('2:0:0:1', 4), { via: 'command' }))).toEqual([
      'a cursor moved without its states (P2)',
    ]);
  });

  it('never takes a cursor back, compared as Armada does, but in another generation', () => {
    const back = change(meta('10:0:0:1', 4), meta('9:0:0:1', 5));
    expect(rulesBroken(back)).toEqual(['a cursor went back (P2)']);
    expect(rulesBroken(change(meta('9:0:0:1', 4), meta('', 5)))).toEqual(['a cursor went back (P2)']);
    expect(rulesBroken(change(meta('10:0:0:1', 4), meta('', 1, 'new')))).toEqual([]);
  });
});
