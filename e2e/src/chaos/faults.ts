import { setTimeout as sleep } from 'node:timers/promises';
import { WORK_QUEUE_PREFIX } from '@ajs/redis-keys';
import { status } from '@grpc/grpc-js';
import { Redis } from 'ioredis';
import type { AppSlot } from './app-slot.js';
import type { Trouble } from './history.js';
import { QUEUE, type FaultName, type Part, type PlannedFault } from './plan.js';
import { now } from './pollers.js';
import { START_MS, type Stage } from './stage.js';
import type { Truth } from './truth.js';

/** What a fault does, until all is well again. */
type Act = (stage: Stage, fault: PlannedFault, truth: Truth) => Promise<void>;

const MOST_DUPLICATES = 6;

/** Does what the plan says; resolves, when all is well again, to the trouble it was. */
export async function befall(stage: Stage, fault: PlannedFault, truth: Truth): Promise<Trouble> {
  const from = now();
  await ACTS[fault.name](stage, fault, truth);
  const of = fault.name.slice(0, fault.name.indexOf(' ')) as Part;
  const lostWrites = fault.name === 'redis older' || fault.name === 'redis empty';
  return { kind: fault.name, of, from, to: now(), ...(lostWrites && { lostWrites }) };
}

const chosen = (slots: readonly AppSlot[], { which }: PlannedFault): AppSlot => {
  const slot = slots[Math.floor(which * slots.length)];
  if (slot === undefined) throw new Error('there is nothing to befall');
  return slot;
};

const kill =
  (slotsOf: (stage: Stage) => readonly AppSlot[]): Act =>
  async (stage, fault) => {
    const slot = chosen(slotsOf(stage), fault);
    await slot.kill();
    await sleep(fault.lasts);
    await slot.start(START_MS);
  };

const stop =
  (slotsOf: (stage: Stage) => readonly AppSlot[]): Act =>
  async (stage, fault) => {
    const slot = chosen(slotsOf(stage), fault);
    await slot.stop(START_MS);
    await slot.start(START_MS);
  };

const freeze =
  (slotsOf: (stage: Stage) => readonly AppSlot[]): Act =>
  async (stage, fault) => {
    const slot = chosen(slotsOf(stage), fault);
    slot.signal('SIGSTOP');
    await sleep(fault.lasts);
    slot.signal('SIGCONT');
  };

const ingesters = (stage: Stage): readonly AppSlot[] => stage.ingesters;
const queries = (stage: Stage): readonly AppSlot[] => stage.queries;

const faulty =
  (faults: Parameters<Stage['armada']['faults']['set']>[0], endsStreams = false): Act =>
  async ({ armada }, { lasts }) => {
    armada.faults.set(faults);
    if (endsStreams) armada.events.endStreams(status.UNAVAILABLE);
    await sleep(lasts);
    armada.faults.set({});
  };

const ACTS: Readonly<Record<FaultName, Act>> = {
  'ingester kill': kill(ingesters),
  'ingester stop': stop(ingesters),
  'ingester freeze': freeze(ingesters),
  'query kill': kill(queries),
  'query stop': stop(queries),
  'query freeze': freeze(queries),

  'redis restart': async (stage, { lasts }) => {
    await stage.redis.kill();
    await sleep(lasts);
    await stage.bringRedisBack('all');
  },
  'redis pause': async ({ redis }, { lasts }) => {
    process.kill(redis.pid, 'SIGSTOP');
    await sleep(lasts);
    process.kill(redis.pid, 'SIGCONT');
  },
  'redis older': async (stage, { lasts }) => {
    await stage.keepDisk();
    await sleep(lasts);
    await stage.redis.kill();
    await stage.bringRedisBack('kept');
  },
  'redis empty': async (stage) => {
    await stage.redis.kill();
    await stage.bringRedisBack('nothing');
  },
  'redis cut': async (stage, fault) => {
    const { redis } = chosen(stage.slots, fault);
    await redis.close();
    await sleep(fault.lasts);
    await redis.reopen();
  },
  'redis lost-hints': async ({ redis }) => {
    const client = new Redis(redis.url);
    try {
      const keys = await client.keys(`${WORK_QUEUE_PREFIX}:*`);
      if (keys.length > 0) await client.unlink(...keys);
    } finally {
      client.disconnect();
    }
  },

  'armada refusing': async ({ armadaGate }, { lasts }) => {
    await armadaGate.close();
    await sleep(lasts);
    await armadaGate.reopen();
  },
  'armada reset': ({ armadaGate }) => {
    armadaGate.reset();
    return Promise.resolve();
  },
  'armada silent': async ({ armadaGate }, { lasts }) => {
    armadaGate.setSilent(true);
    await sleep(lasts);
    armadaGate.setSilent(false);
  },
  'armada errors': faulty({ unavailable: true }, true),
  'armada slow': faulty({ delayMs: 700, jobsDelayMs: 700 }),
  'armada hanging': faulty({ hang: true }),
  'armada restart': ({ armada }) => {
    armada.events.endStreams(status.UNAVAILABLE);
    armada.dropConnections();
    return Promise.resolve();
  },
  'armada duplicates': async ({ armada }, { which }, truth) => {
    const jobSets = truth.jobSets();
    const key = jobSets[Math.floor(which * jobSets.length)];
    if (key === undefined) return;
    const count = Math.min(1 + (Math.floor(which * 1_000) % MOST_DUPLICATES), truth.length(key));
    truth.duplicateNewest(key, count, now());
    armada.state.openLog(key.queue, key.jobSetId).duplicateNewest(count);
    return Promise.resolve();
  },
  'armada unknown-queue': faulty({ missingQueues: [QUEUE] }, true),
  'armada denied': faulty({ deniedQueues: [QUEUE] }, true),
};
