import { setTimeout as sleep } from 'node:timers/promises';
import { parseMessageId, type JobSetKey } from '@ajs/job-state';
import { createRedisClient } from '@ajs/job-store';
import { RedisKeys } from '@ajs/redis-keys';
import { status } from '@grpc/grpc-js';
import { Redis } from 'ioredis';
import type { AppSlot } from './app-slot.js';
import type { Disturbance } from './history.js';
import { LOSE_WRITES, QUEUE, type FaultName, type Part, type PlannedFault } from './plan.js';
import { now } from './pollers.js';
import { START_MS, type Stage } from './stage.js';
import type { Truth } from './truth.js';

const KEYS = new RedisKeys();

/** Causes a fault; resolves when it is repaired. */
type Fault = (stage: Stage, fault: PlannedFault, truth: Truth) => Promise<void>;

const MOST_DUPLICATES = 6;
const WORK_QUEUE_SHARE = 0.3;
const LONGER_THAN_A_FAULT_MS = 3_600_000;

/** Causes a planned fault; resolves, when it is repaired, to how long it lasted. */
export async function inject(stage: Stage, fault: PlannedFault, truth: Truth): Promise<Disturbance> {
  const from = now();
  await FAULTS[fault.name](stage, fault, truth);
  const of = fault.name.slice(0, fault.name.indexOf(' ')) as Part;
  const lostWrites = LOSE_WRITES.has(fault.name);
  return { kind: fault.name, of, from, to: now(), ...(lostWrites && { lostWrites }) };
}

const chosen = (slots: readonly AppSlot[], { which }: PlannedFault): AppSlot => {
  const slot = slots[Math.floor(which * slots.length)];
  if (slot === undefined) throw new Error('there is no process to choose from');
  return slot;
};

const kill =
  (slotsOf: (stage: Stage) => readonly AppSlot[]): Fault =>
  async (stage, fault) => {
    const slot = chosen(slotsOf(stage), fault);
    await slot.kill();
    await sleep(fault.lasts);
    await slot.start(START_MS);
  };

const killAll: Fault = async ({ ingesters }, { lasts }) => {
  await Promise.all(ingesters.map((slot) => slot.kill()));
  await sleep(lasts);
  await Promise.all(ingesters.map((slot) => slot.start(START_MS)));
};

const stop =
  (slotsOf: (stage: Stage) => readonly AppSlot[]): Fault =>
  async (stage, fault) => {
    const slot = chosen(slotsOf(stage), fault);
    await slot.stop(START_MS);
    await slot.start(START_MS);
  };

const freeze =
  (slotsOf: (stage: Stage) => readonly AppSlot[]): Fault =>
  async (stage, fault) => {
    const slot = chosen(slotsOf(stage), fault);
    slot.signal('SIGSTOP');
    await sleep(fault.lasts);
    slot.signal('SIGCONT');
  };

const jobSetOf = (truth: Truth, which: number): JobSetKey | undefined => {
  const jobSets = truth.jobSets();
  return jobSets[Math.floor(which * jobSets.length)];
};

/** The job set's cursor in Redis; empty while Redis does not answer. */
async function cursorOf(stage: Stage, jobSet: JobSetKey): Promise<string> {
  const client = createRedisClient(stage.redis.target, 'writer', () => undefined);
  try {
    return (await client.hget(KEYS.metaKey(jobSet), 'cursor')) ?? '';
  } catch {
    return '';
  } finally {
    client.disconnect();
  }
}

const ingesters = (stage: Stage): readonly AppSlot[] => stage.ingesters;
const queries = (stage: Stage): readonly AppSlot[] => stage.queries;

const faulty =
  (faults: Parameters<Stage['armada']['faults']['set']>[0], endsStreams = false): Fault =>
  async ({ armada }, { lasts }) => {
    armada.faults.set(faults);
    if (endsStreams) armada.events.endStreams(status.UNAVAILABLE);
    await sleep(lasts);
    armada.faults.set({});
  };

const FAULTS: Readonly<Record<FaultName, Fault>> = {
  'ingester kill': kill(ingesters),
  'ingester kill-all': killAll,
  'ingester stop': stop(ingesters),
  'ingester freeze': freeze(ingesters),
  'query kill': kill(queries),
  'query stop': stop(queries),
  'query freeze': freeze(queries),

  'redis restart': async ({ singleRedis }, { lasts }) => {
    await singleRedis.server.kill();
    await sleep(lasts);
    await singleRedis.bringBack('all');
  },
  'redis pause': async ({ singleRedis }, { lasts }) => {
    process.kill(singleRedis.server.pid, 'SIGSTOP');
    await sleep(lasts);
    process.kill(singleRedis.server.pid, 'SIGCONT');
  },
  'redis older': async ({ singleRedis }, { lasts }) => {
    await singleRedis.keepDisk();
    await sleep(lasts);
    await singleRedis.server.kill();
    await singleRedis.bringBack('kept');
  },
  'redis empty': async ({ singleRedis }) => {
    await singleRedis.server.kill();
    await singleRedis.bringBack('nothing');
  },
  'redis cut': async (stage, fault) => {
    const { redis } = chosen(stage.slots, fault);
    await redis?.close();
    await sleep(fault.lasts);
    await redis?.reopen();
  },
  'redis lost-work-queue': async ({ singleRedis }) => {
    const client = new Redis(singleRedis.server.url);
    try {
      const keys = await client.keys(`${KEYS.workQueuePrefix}:*`);
      if (keys.length > 0) await client.unlink(...keys);
    } finally {
      client.disconnect();
    }
  },

  'redis fail-over': async ({ replicatedRedis }, { which, lasts }, truth) => {
    // Often the master of the work queue, which every assignment depends on.
    const of = which < WORK_QUEUE_SHARE ? undefined : jobSetOf(truth, which);
    await replicatedRedis.failOver(of ?? 'work-queue', lasts);
  },
  'redis slots-moved': async ({ replicatedRedis }, { which }, truth) => {
    const of = jobSetOf(truth, which);
    if (of !== undefined) await replicatedRedis.moveSlot(of);
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
    const key = jobSetOf(truth, which);
    if (key === undefined) return;
    const log = armada.state.openLog(key.queue, key.jobSetId);
    const count = Math.min(1 + (Math.floor(which * 1_000) % MOST_DUPLICATES), log.length);
    armada.state.accept(key, truth.duplicateNewest(key, count, now()));
    return Promise.resolve();
  },
  'armada retention': async (stage, { which }, truth) => {
    const key = jobSetOf(truth, which);
    if (key === undefined) return;
    // Armada keeps events for days: by then they have been applied.
    const cursor = parseMessageId(await cursorOf(stage, key));
    if (cursor === undefined) return;
    const log = stage.armada.state.openLog(key.queue, key.jobSetId);
    const kept = log.end - log.after(cursor);
    truth.forget(key, log.end - kept, now());
    log.forgetOldest(log.length - kept);
  },
  'armada events-behind': faulty({ eventsStopped: true }),
  'armada jobs-api-behind': faulty({ lookoutLagMs: LONGER_THAN_A_FAULT_MS }),
  'armada unknown-queue': faulty({ missingQueues: [QUEUE] }, true),
  'armada denied': faulty({ deniedQueues: [QUEUE] }, true),
};
