import { toMs } from '@ajs/job-state';
import { armadaNow } from './armada-now.js';
import { systemClock } from './clock.js';

/** What keeps this process alive. */
const timers = (): number => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;

describe('the clock of the system', () => {
  it('acts once its time has passed, and not where that was withdrawn', async () => {
    const acted: string[] = [];
    const withdraw = systemClock.after(1, () => acted.push('withdrawn'));
    withdraw();
    await new Promise<void>((resolve) => {
      const wait = setInterval(() => undefined, 1_000);
      systemClock.after(2, () => {
        acted.push('acted');
        clearInterval(wait);
        resolve();
      });
    });
    expect(acted).toEqual(['acted']);
  });

  it('keeps no process alive with what is still to come', () => {
    const before = timers();
    const withdraw = systemClock.after(60_000, () => undefined);
    expect(timers()).toBe(before);
    withdraw();
  });

  it('dates moments of others by the wall clock, and measures how long something lasts by one that is never set', () => {
    const [began, monotonic] = [Date.now(), performance.now()];
    expect(systemClock.wall()).toBeGreaterThanOrEqual(began);
    expect(toMs(armadaNow())).toBeGreaterThanOrEqual(began);
    expect(toMs(systemClock.monotonic())).toBeGreaterThanOrEqual(monotonic);
    expect(toMs(systemClock.monotonic())).toBeLessThan(began);
  });
});
