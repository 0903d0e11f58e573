// npm run chaos and npm run soak. Also the processes that it starts beside the applications.
import { parseArgs } from 'node:util';
import { chaos } from './chaos/chaos.js';
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
  chaos: async () => {
    const { values } = parseArgs({
      args,
      options: { minutes: { type: 'string', default: '5' }, seed: { type: 'string' } },
    });
    const seed = values.seed ?? `${1 + Math.floor(Math.random() * 1e9)}`;
    const isKept = await chaos({
      minutes: count('--minutes', values.minutes),
      seed: count('--seed', seed),
    });
    process.exit(isKept ? 0 : 1);
  },
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

// The processes that were started end with this one, by Ctrl-C too.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

const run = COMMANDS[command];
if (run === undefined) {
  console.error(`usage: main.js ${Object.keys(COMMANDS).join('|')} [--help]`);
  process.exit(2);
}
await run();
