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
  it('is allowed where its writer expected what was there', () => {
    expect(
      rulesBroken(change(meta('1:0:0:1', 4), meta('2:0:0:1', 5), { expected: meta('1:0:0:1', 4) })),
    ).toEqual([]);
  });

  it('violates P3 where its writer expected anything else', () => {
    for (const expected of [meta('1:0:0:1', 3), meta('0:0:0:1', 4), meta('1:0:0:1', 4, 'other')]) {
      expect(rulesBroken(change(meta('1:0:0:1', 4), meta('2:0:0:1', 5), { expected }))).toEqual([
        'stale owner wrote (P3)',
      ]);
    }
  });

  it('violates P2 where it moves a cursor outside a script', () => {
    expect(rulesBroken(change(meta('1:0:0:1', 4), meta('2:0:0:1', 4), { via: 'command' }))).toEqual([
      'cursor written without its states (P2)',
    ]);
  });

  it('violates P2 where it moves a cursor backwards in Armada’s order, unless a new generation begins', () => {
    const back = change(meta('10:0:0:1', 4), meta('9:0:0:1', 5));
    expect(rulesBroken(back)).toEqual(['cursor moved backwards (P2)']);
    expect(rulesBroken(change(meta('9:0:0:1', 4), meta('', 5)))).toEqual(['cursor moved backwards (P2)']);
    expect(rulesBroken(change(meta('10:0:0:1', 4), meta('', 1, 'new')))).toEqual([]);
  });
});
