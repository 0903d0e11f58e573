import { ManualClock } from '@ajs/testing';
import { LoopProgress } from './loop-progress.js';

const clock = new ManualClock();
let progress: LoopProgress;

beforeEach(() => (progress = new LoopProgress(10_000, () => clock.monotonic())));

describe('a loop in the background', () => {
  it('goes on while its rounds come to their ends in time', () => {
    progress.moved();
    clock.advance(10_000);
    expect(progress.standstill).toBeUndefined();
    progress.moved();
    clock.advance(10_000);
    expect(progress.standstill).toBeUndefined();
  });

  it('stands still when a round takes longer, and heals when it moves again', () => {
    progress.moved();
    clock.advance(42_000);
    expect(progress.standstill).toBe('no progress for 42 s');
    progress.moved();
    expect(progress.standstill).toBeUndefined();
  });

  it('says why it stands still, and not what failed before it last moved', () => {
    progress.moved();
    progress.failed(new Error('connection refused'));
    clock.advance(11_000);
    expect(progress.standstill).toBe('no progress for 11 s: connection refused');
    progress.moved();
    clock.advance(11_000);
    expect(progress.standstill).toBe('no progress for 11 s');
  });

  it('does not stand still before it begins, nor while there is nothing to do', () => {
    clock.advance(11_000);
    expect(progress.standstill).toBeUndefined();
    progress.moved();
    progress.idle();
    clock.advance(11_000);
    expect(progress.standstill).toBeUndefined();
  });
});
