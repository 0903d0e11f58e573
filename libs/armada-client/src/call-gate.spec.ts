import { ManualClock } from '@ajs/testing';
import { CallGate } from './call-gate.js';

function setUp(callsPerSecond: number, mostAtOnce: number) {
  const clock = new ManualClock();
  const gate = new CallGate(callsPerSecond, mostAtOnce, clock);
  const entered: { name: string; leave: () => void }[] = [];
  const refused: string[] = [];
  const come = (...names: string[]): void => {
    for (const name of names) {
      gate.enter().then(
        (leave) => entered.push({ name, leave }),
        () => refused.push(name),
      );
    }
  };
  return { clock, gate, come, refused, names: () => entered.map(({ name }) => name), entered };
}

const numbered = (count: number): string[] => Array.from({ length: count }, (_, i) => `${i}`);

describe('the call gate', () => {
  it('admits a burst at once and then calls at its rate, in the order they came', async () => {
    const { clock, come, names } = setUp(20, 1_000);
    come(...numbered(100));
    await clock.pass(1);
    expect(names()).toEqual(numbered(5));
    await clock.pass(1_000);
    expect(names().length).toBeGreaterThanOrEqual(5 + 19);
    expect(names().length).toBeLessThanOrEqual(5 + 20);
    await clock.pass(10_000);
    expect(names()).toEqual(numbered(100));
  });

  it('does not save up more than a burst', async () => {
    const { clock, come, names } = setUp(20, 1_000);
    await clock.pass(60_000);
    come(...numbered(100));
    await clock.pass(1);
    expect(names()).toHaveLength(5);
  });

  it('admits a limited number at a time, and the next when one leaves', async () => {
    const { clock, come, names, entered } = setUp(1_000, 2);
    come('a', 'b', 'c', 'd');
    await clock.pass(10_000);
    expect(names()).toEqual(['a', 'b']);
    entered[1]?.leave();
    await clock.pass(1);
    expect(names()).toEqual(['a', 'b', 'c']);
  });

  it('admits one call a second where that is the rate', async () => {
    const { clock, come, names } = setUp(1, 4);
    come('a', 'b');
    await clock.pass(999);
    expect(names()).toEqual(['a']);
    await clock.pass(10);
    expect(names()).toEqual(['a', 'b']);
  });

  it('rejects waiting calls and new ones once it is closed', async () => {
    const { clock, gate, come, names, refused } = setUp(1, 4);
    come('a', 'b');
    await clock.pass(1);
    gate.close();
    come('c');
    await clock.pass(10_000);
    expect(names()).toEqual(['a']);
    expect(refused).toEqual(['b', 'c']);
  });

  it('waits once for all calls that wait, and for nothing any more once it is closed', async () => {
    const { clock, gate, come } = setUp(1, 4);
    come('a', 'b');
    come('c');
    await clock.pass(1);
    expect(clock.timers).toBe(1);
    gate.close();
    expect(clock.timers).toBe(0);
  });
});
