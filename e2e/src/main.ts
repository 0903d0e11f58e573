// npm run chaos and npm run soak. Also the processes that it starts beside the applications.
import { parseArgs } from 'node:util';
import { chaos } from './chaos/chaos.js';
import { REDIS_KINDS, type RedisKind } from './chaos/chaos-redis.js';
import { ALL_FAULTS, isPossible, type FaultName } from './chaos/plan.js';
import { runArmada } from './soak/armada.js';
import { runPollers } from './soak/pollers.js';
import { Schedule } from './soak/schedule.js';
import { soak } from './soak/soak.js';

const [command = '', ...args] = process.argv.slice(2);

function refuse(name: string, text: string, allowed: string): never {
  console.error(`${name} is "${text}", but must be ${allowed}`);
  process.exit(2);
}

function count(name: string, text: string): number {
  const value = Number(text);
  return Number.isInteger(value) && value >= 1 ? value : refuse(name, text, 'a whole number of at least 1');
}

function positive(name: string, text: string): number {
  const value = Number(text);
  return value > 0 && value < Infinity ? value : refuse(name, text, 'a number above 0');
}

function redisKind(text: string): RedisKind {
  return REDIS_KINDS.find((kind) => kind === text) ?? refuse('--redis', text, REDIS_KINDS.join(', '));
}

/** Names with commas between; none at all: no faults. */
function faults(text: string, redis: RedisKind): FaultName[] {
  const possible = ALL_FAULTS.filter((fault) => isPossible(fault, redis));
  return text
    .split(',')
    .filter((name) => name !== '')
    .map((name) => possible.find((one) => one === name) ?? refuse('--faults', name, possible.join(', ')));
}

const COMMANDS: Readonly<Record<string, () => Promise<void> | void>> = {
  chaos: async () => {
    const { values } = parseArgs({
      args,
      options: {
        minutes: { type: 'string', default: '5' },
        seed: { type: 'string', default: `${1 + Math.floor(Math.random() * 1e9)}` },
        redis: { type: 'string', default: 'single' },
        faults: { type: 'string' },
        'job-sets': { type: 'string', default: '12' },
        'patience-seconds': { type: 'string', default: '30' },
        ingester: { type: 'string', default: 'dist/apps/ingester/main.js' },
        query: { type: 'string', default: 'dist/apps/query/main.js' },
      },
    });
    const redis = redisKind(values.redis);
    const isKept = await chaos({
      minutes: positive('--minutes', values.minutes),
      seed: count('--seed', values.seed),
      redis,
      faults: values.faults === undefined ? undefined : faults(values.faults, redis),
      jobSets: count('--job-sets', values['job-sets']),
      patienceSeconds: count('--patience-seconds', values['patience-seconds']),
      ingester: values.ingester,
      query: values.query,
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
        'container-mib': { type: 'string' },
      },
    });
    const isFlat = await soak({
      minutes: positive('--minutes', values.minutes),
      eventsPerSecond: count('--events', values.events),
      pollsPerSecond: count('--polls', values.polls),
      reportFile: values.report,
      containerMib:
        values['container-mib'] === undefined ? undefined : count('--container-mib', values['container-mib']),
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
