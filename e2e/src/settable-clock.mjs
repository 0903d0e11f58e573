// Loaded before an application (`node --import`): gives its process a wall clock that is set forward or back by CLOCK_STEP_MS at SIGALRM.
// Monotonic clocks and timers go on, as they do where the time of a system is set. (Nest stops at most other signals.)
import { writeSync } from 'node:fs';

const RealDate = Date;
const stepMs = Number(process.env['CLOCK_STEP_MS']);
let aheadMs = 0;

globalThis.Date = class extends RealDate {
  constructor(...args) {
    if (args.length === 0) super(RealDate.now() + aheadMs);
    else super(...args);
  }

  static now() {
    return RealDate.now() + aheadMs;
  }
};

process.on('SIGALRM', () => {
  aheadMs += stepMs;
  // Past the application, which makes log lines of what is printed.
  writeSync(1, 'the clock is set\n');
});
