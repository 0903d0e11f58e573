// npm run soak. Also the processes that it starts beside the applications.
import { parseArgs } from 'node:util';
import { runArmada } from './soak/armada.js';
import { runPollers } from './soak/pollers.js';
import { Schedule } from './soak/schedule.js';
import { soak } from './soak/soak.js';

const [command = '', ...args] = process.argv.slice(2);

/** A whole number of at least 1, or a usage error. */
function count(name: string, text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1) return value;
  console.error(`${name} is "${text}", but must be a whole number of at least 1`);
  process.exit(2);
}

const COMMANDS: Readonly<Record<string, () => Promise<void> | void>> = {
  soak: async () => {
    const { values } = parseArgs({
      args,
      options: {
        minutes: { type: 'string', default: '60' },
        events: { type: 'string', default: '2000' },
        polls: { type: 'string', default: '2000' },
        report: { type: 'string', default: 'docs/soak.md' },
      },
    });
    const isFlat = await soak({
      minutes: count('--minutes', values.minutes),
      eventsPerSecond: count('--events', values.events),
      pollsPerSecond: count('--polls', values.polls),
      reportFile: values.report,
    });
    console.log(`${isFlat ? 'all is flat' : 'NOT FLAT'}: see ${values.report}`);
    process.exit(isFlat ? 0 : 1);
  },
  'soak-armada': () => {
    const [beganAt, events] = args.map(Number);
    return runArmada(new Schedule(beganAt ?? 0, events ?? 0));
  },
  'soak-pollers': () => {
    const [beganAt, events, polls] = args.map(Number);
    runPollers(new Schedule(beganAt ?? 0, events ?? 0), polls ?? 0, args[3]?.split(',') ?? []);
  },
};

const run = COMMANDS[command];
if (run === undefined) {
  console.error(`usage: main.js ${Object.keys(COMMANDS).join('|')} [--help]`);
  process.exit(2);
}
await run();
