import { ManualClock } from '@ajs/testing';
import { BatchPacer } from './batch-pacer.js';

function setUp() {
  const clock = new ManualClock();
  const iterations: (() => void)[] = [];
  const pacer = new BatchPacer(clock, (act) => iterations.push(act));
  const ended: string[] = [];
  return {
    clock,
    pacer,
    ended,
    pause: (name: string, isLive = true) => pacer.pause(isLive, () => ended.push(name)),
    /** One iteration of the event loop after these messages came; returns whether anybody waited for it. */
    iterate: (messages = 0): boolean => {
      for (let i = 0; i < messages; i++) pacer.messageAccepted();
      const act = iterations.shift();
      act?.();
      return act !== undefined;
    },
  };
}

describe('a batch pacer', () => {
  it('ends the pause of a live job set after one iteration of the event loop where the process is idle', () => {
    const { pause, iterate, ended } = setUp();
    pause('a');
    expect(ended).toEqual([]);
    expect(iterate()).toBe(true);
    expect(ended).toEqual(['a']);
    expect(iterate()).toBe(false);
    pause('b');
    expect(iterate()).toBe(true);
    expect(ended).toEqual(['a', 'b']);
  });

  it('goes on with the pauses of live job sets while messages of any job set come', () => {
    const { pause, iterate, ended } = setUp();
    pause('a');
    iterate(1);
    pause('b');
    iterate(1);
    expect(ended).toEqual([]);
    iterate();
    expect(ended).toEqual(['a', 'b']);
  });

  it('ends the pause of a live job set after 20 ms, however busy the process is', () => {
    const { pause, iterate, ended, clock } = setUp();
    pause('a');
    clock.advance(10);
    pause('b');
    clock.advance(9);
    iterate(1);
    expect(ended).toEqual([]);
    clock.advance(1);
    iterate(1);
    expect(ended).toEqual(['a']);
    clock.advance(10);
    iterate(1);
    expect(ended).toEqual(['a', 'b']);
  });

  it('ends the pause of a job set that catches up after 1 s, however idle the process is', () => {
    const { pause, iterate, ended, clock } = setUp();
    pause('a', false);
    expect(iterate()).toBe(false);
    clock.advance(999);
    expect(ended).toEqual([]);
    clock.advance(1);
    expect(ended).toEqual(['a']);
  });

  it.each([true, false])('does not end a pause that was ended before (live: %s)', (isLive) => {
    const { pause, iterate, ended, clock } = setUp();
    const end = pause('a', isLive);
    pause('b', isLive);
    end();
    clock.advance(1_000);
    iterate();
    expect(ended).toEqual(['b']);
    expect(clock.timers).toBe(0);
  });

  it('looks at each iteration once, however many pauses begin and end in it', () => {
    const { pause, iterate, ended } = setUp();
    for (let i = 0; i < 3; i++) pause('ended before')();
    pause('a');
    expect([iterate(1), iterate(1)]).toEqual([true, true]);
    expect(ended).toEqual([]);
    expect([iterate(), iterate()]).toEqual([true, false]);
    expect(ended).toEqual(['a']);
  });

  it('is full at 50,000 messages of all job sets together, until some are written', () => {
    const { pacer } = setUp();
    for (let i = 1; i < 50_000; i++) pacer.messageAccepted();
    expect(pacer.isFull).toBe(false);
    pacer.messageAccepted();
    expect(pacer.isFull).toBe(true);
    pacer.messagesLeft(1);
    expect(pacer.isFull).toBe(false);
  });
});
