/** What an installation has to carry. */
export interface Load {
  /** Job sets that are polled at about the same time. */
  readonly jobSets: number;
  /** Those of them that have an event a minute or more. */
  readonly activeJobSets: number;
  /** Jobs that are submitted. */
  readonly jobsPerSecond: number;
  readonly eventsPerJob: number;
  /** Of all jobs, from 0 to 1. */
  readonly failedShare: number;
  /** Jobs submitted with an external URI, of all, from 0 to 1. */
  readonly externalUriShare: number;
  /** From the submission of a job until its job set is deleted from Redis. Seconds. */
  readonly retentionSeconds: number;
  /** Jobs whose states are asked for. */
  readonly polledJobsPerSecond: number;
  readonly jobsPerCall: number;
  /** `WaitForJobs` calls that are open at once. */
  readonly waits: number;
  /** `WatchJobs` and `WatchJobSet` streams that are open at once. */
  readonly streams: number;
}

/**
 * What things cost, as measured: docs/performance.md and ADR 12 and 32 have the measurements, docs/operations.md the sources of each. CPU
 * was measured with the memory of a container of 512 MiB, on a machine that was busy with other work: a quiet one needs less.
 */
export const COSTS = {
  /** CPU of an ingester. Microseconds. */
  eventUs: 75,
  /** A scheduled read of a job set: CPU of an ingester. Microseconds. */
  readUs: 2_500,
  /** A call: CPU of a query. Microseconds. */
  callUs: 116,
  /** Each job of a call beyond the first: CPU of a query. Microseconds. */
  polledJobUs: 5,
  /** CPU of Redis. Microseconds. */
  redisEventUs: 13,
  /** A read of job states: CPU of Redis. Microseconds. */
  redisReadUs: 20,
  /** Redis memory. Bytes. */
  jobBytes: 79,
  /** Redis memory that a failed job has beyond that, with a short reason. Bytes. */
  failureBytes: 200,
  /** Redis memory that a job with an external URI of 70 characters has beyond that. Bytes. */
  externalUriBytes: 260,
  /** Redis memory, whatever jobs it has. Bytes. */
  jobSetBytes: 1_250,
  /** A job set that is polled: resident memory of the ingesters together. Bytes. */
  followedJobSetBytes: 33_000,
  /** A call or stream that waits: memory of a query. Bytes. */
  waitBytes: 16_384,
} as const;

/** The defaults of the settings that bound what all replicas, or one of them, may do. */
export const LIMITS = {
  watchBudget: 500,
  readsPerSecond: 200,
  maxJobSets: 100_000,
  maxOpenWaits: 20_000,
  maxOpenWatches: 2_000,
  /** An open call takes {@link COSTS.waitBytes} of it. */
  maxBufferedBytes: 268_435_456,
} as const;

/** The part of a core that a process is planned to use: a Node process has one, and needs the rest for peaks. */
const BUSY = 0.6;
/** The part of Redis' memory that is planned to be used: the rest is for buffers, fragmentation, and days with more jobs. */
const FILLED = 0.7;
/** Of a limit that one caller can have for itself (ADR 26). */
const ALONE = 0.75;
/** From this on a quiet job set counts as read seldom. Seconds. */
const READ_SELDOM_SECONDS = 120;

const MIB = 1_048_576;
/** What Node needs to be fast (ADR 32); of it a process takes BASE_MIB at most while nothing below is added. */
const LEAST_MIB = 512;
const BASE_MIB = 384;
const STEP_MIB = 128;
const REDIS_LEAST_MIB = 64;

export interface ProcessSize {
  /** One more than the load needs: one may be away. */
  readonly replicas: number;
  /** To request for each. Thousandths of a core. */
  readonly milliCores: number;
  /** The limit of each. MiB. */
  readonly memoryMib: number;
}

export interface Sizing {
  readonly ingester: ProcessSize;
  readonly query: ProcessSize;
  readonly redis: {
    readonly jobs: number;
    readonly maxmemoryMib: number;
    /** Of its server; twice `maxmemory`, since Redis copies what is written while it saves. MiB. */
    readonly memoryMib: number;
    /** Thousandths of a core. */
    readonly milliCores: number;
  };
  readonly armada: {
    readonly watches: number;
    readonly readsPerSecond: number;
    /** From one read of a quiet job set to the next. Seconds; 0 where all are watched. */
    readonly readEverySeconds: number;
  };
  /** What does not fit the default settings or one Redis, and what to do about it. */
  readonly warnings: readonly string[];
}

/** What an installation needs for a load. docs/operations.md has the formulae. */
export function sizingOf(load: Load): Sizing {
  const eventsPerSecond = load.jobsPerSecond * load.eventsPerJob;
  const callsPerSecond = load.polledJobsPerSecond / load.jobsPerCall;
  const watches = Math.min(load.activeJobSets, LIMITS.watchBudget);
  const unwatched = load.jobSets - watches;
  // Quiet job sets are read once a minute at most.
  const readsPerSecond = Math.min(unwatched / 60, LIMITS.readsPerSecond);
  const readEverySeconds = unwatched === 0 ? 0 : unwatched / readsPerSecond;
  const jobs = load.jobsPerSecond * load.retentionSeconds;

  const ingesterCores = (eventsPerSecond * COSTS.eventUs + readsPerSecond * COSTS.readUs) / 1e6;
  const ingesters = Math.max(1, Math.ceil(ingesterCores / BUSY));
  const queryCores =
    (callsPerSecond * COSTS.callUs + (load.polledJobsPerSecond - callsPerSecond) * COSTS.polledJobUs) / 1e6;
  const queries = Math.max(
    1,
    Math.ceil(queryCores / BUSY),
    Math.ceil(load.waits / (LIMITS.maxOpenWaits * ALONE)),
    Math.ceil(load.streams / (LIMITS.maxOpenWatches * ALONE)),
    Math.ceil(((load.waits + load.streams) * COSTS.waitBytes) / (LIMITS.maxBufferedBytes * ALONE)),
  );
  const bytesOfJob =
    COSTS.jobBytes + load.failedShare * COSTS.failureBytes + load.externalUriShare * COSTS.externalUriBytes;
  const redisBytes = jobs * bytesOfJob + load.jobSets * COSTS.jobSetBytes;
  const maxmemoryMib = Math.max(REDIS_LEAST_MIB, roundUp(redisBytes / MIB / FILLED, REDIS_LEAST_MIB));
  const redisCores = (eventsPerSecond * COSTS.redisEventUs + callsPerSecond * COSTS.redisReadUs) / 1e6;
  return {
    ingester: {
      replicas: ingesters + 1,
      milliCores: milliCores(ingesterCores / ingesters),
      memoryMib: memoryMib((load.jobSets * COSTS.followedJobSetBytes) / ingesters),
    },
    query: {
      replicas: queries + 1,
      milliCores: milliCores(queryCores / queries),
      memoryMib: memoryMib(((load.waits + load.streams) * COSTS.waitBytes) / queries),
    },
    redis: {
      jobs,
      maxmemoryMib,
      memoryMib: 2 * maxmemoryMib,
      milliCores: milliCores(redisCores),
    },
    armada: { watches, readsPerSecond, readEverySeconds },
    warnings: warningsFor(load, redisCores, readEverySeconds),
  };
}

function warningsFor(load: Load, redisCores: number, readEverySeconds: number): string[] {
  const warnings: string[] = [];
  if (load.activeJobSets > LIMITS.watchBudget) {
    warnings.push(
      `${load.activeJobSets - LIMITS.watchBudget} active job sets have no watch: their states are some seconds old. Raise WATCH_BUDGET (${LIMITS.watchBudget}) as far as Armada has watches to spare: it supports about 1000 in all`,
    );
  }
  if (readEverySeconds > READ_SELDOM_SECONDS) {
    warnings.push(
      `a quiet job set is read once in ${Math.round(readEverySeconds)} s: raise UPSTREAM_READS_PER_SECOND (${LIMITS.readsPerSecond}); a read costs Armada about 1 ms`,
    );
  }
  if (load.jobSets > LIMITS.maxJobSets) {
    warnings.push(`there are more job sets than MAX_JOB_SETS (${LIMITS.maxJobSets}): raise it`);
  }
  if (redisCores > BUSY) {
    warnings.push(
      `Redis needs ${redisCores.toFixed(1)} cores, and one server uses one: take Redis Cluster with ${Math.ceil(redisCores / BUSY)} masters or more`,
    );
  }
  return warnings;
}

/** The least that is worth a request is a tenth of a core. */
function milliCores(cores: number): number {
  return Math.max(100, roundUp(cores * 1_000, 100));
}

/** The limit of a process that holds so many bytes beyond what it always does. */
function memoryMib(bytes: number): number {
  return Math.max(LEAST_MIB, roundUp(BASE_MIB + bytes / MIB, STEP_MIB));
}

function roundUp(value: number, step: number): number {
  return Math.ceil(value / step) * step;
}
