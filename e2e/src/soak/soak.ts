import { writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { RedisKeys } from '@ajs/redis-keys';
import { RedisServer } from '@ajs/testing';
import { Redis } from 'ioredis';
import { AppProcess } from '../app-process.js';
import { Container } from '../container/container.js';
import type { App } from '../patched-build.js';
import { peakRssBytes, processFigures } from '../process-figures.js';
import { ageOf, type Column, type Sample } from './figures.js';
import { report } from './report.js';
import { Schedule, jobSetOf } from './schedule.js';

const KEYS = new RedisKeys();

export interface SoakOptions {
  readonly minutes: number;
  readonly eventsPerSecond: number;
  readonly pollsPerSecond: number;
  /** Where the report goes. */
  readonly reportFile: string;
  /** Runs the applications as their images do, each in so much memory; `undefined`: as they are, without a limit. */
  readonly containerMib?: number | undefined;
}

const SECONDS_PER_SAMPLE = 10;
const MB = 2 ** 20;
const APPS = ['ingester 1', 'ingester 2', 'query 1', 'query 2'] as const;

/** Short, so that deletions soon keep pace with new job sets. */
const SHORT_INTEREST = {
  FOLLOW_AFTER_POLL: '30s',
  FOLLOW_UNFINISHED_AFTER_POLL: '30s',
  DELETE_AFTER_POLL: '120s',
};

/** A rise of memory that garbage collection and the allocator cause without a leak. */
const MEMORY_NOISE_BYTES = 8 * MB;

const columnsFor = (eventsPerSecond: number, pollsPerSecond: number): readonly Column[] => [
  { name: 'events/s', unit: '', summary: 'mean', mustBe: eventsPerSecond },
  { name: 'polls/s', unit: '', summary: 'mean', mustBe: pollsPerSecond },
  { name: 'poll p50', unit: 'ms', summary: 'mean', mayRise: 5 },
  { name: 'poll p99', unit: 'ms', summary: 'mean', mayRise: 50 },
  { name: 'age of states', unit: 'ms', summary: 'most', mayRise: 500 },
  ...APPS.flatMap((app): Column[] => [
    { name: `${app} RSS`, unit: 'bytes', summary: 'mean', mayRise: MEMORY_NOISE_BYTES },
    { name: `${app} heap`, unit: 'bytes', summary: 'least', mayRise: MEMORY_NOISE_BYTES },
    { name: `${app} handles`, unit: '', summary: 'mean', mayRise: 5 },
    { name: `${app} CPU`, unit: '%', summary: 'mean' },
  ]),
  { name: 'Redis memory', unit: 'bytes', summary: 'mean', mayRise: MEMORY_NOISE_BYTES },
  { name: 'Redis keys', unit: '', summary: 'mean', mayRise: 100 },
  { name: 'Redis clients', unit: '', summary: 'mean', mayRise: 2 },
  { name: 'assignments', unit: '', summary: 'mean', mayRise: 10 },
  { name: 'watches at Armada', unit: '', summary: 'mean', mayRise: 10 },
];

interface RunningApp {
  readonly name: (typeof APPS)[number];
  readonly process: AppProcess;
  readonly http: string;
}

/** Runs the soak and writes its report; resolves to whether all was flat. */
export async function soak(options: SoakOptions): Promise<boolean> {
  const { minutes, eventsPerSecond, pollsPerSecond } = options;
  const redisServer = await RedisServer.start(['--appendonly', 'yes', '--appendfsync', 'everysec']);
  const redis = new Redis(redisServer.url);
  const processes: AppProcess[] = [];
  const containers: Container[] = [];
  const start = (script: string, env: Readonly<Record<string, string>>, args: readonly string[] = []) => {
    const started = new AppProcess(script, env, args);
    processes.push(started);
    return started;
  };
  const startApp = (name: App, env: Readonly<Record<string, string>>): AppProcess => {
    if (options.containerMib === undefined) return start(`dist/apps/${name}/main.js`, env);
    const container = new Container(name, env, options.containerMib * MB);
    containers.push(container);
    processes.push(container.app);
    return container.app;
  };
  try {
    const schedule = new Schedule(Date.now() + 5_000, eventsPerSecond);
    const columns = columnsFor(schedule.eventsPerSecond, pollsPerSecond);
    const role = (name: string, ...args: string[]): AppProcess =>
      start('dist/e2e/main.js', {}, [name, `${schedule.beganAt}`, `${eventsPerSecond}`, ...args]);
    const armada = role('soak-armada');
    const { listening } = await armada.logged('listening');
    const env = {
      ARMADA_URL: String(listening),
      REDIS_URL: redisServer.url,
      AUTH_MODE: 'anonymous',
      QUERY_GRPC_ADDRESS: '127.0.0.1:0',
      QUERY_HTTP_ADDRESS: '127.0.0.1:0',
      INGESTER_HTTP_ADDRESS: '127.0.0.1:0',
      ...SHORT_INTEREST,
    };
    const apps: RunningApp[] = [];
    const targets: string[] = [];
    for (const name of APPS) {
      const app = startApp(name.startsWith('query') ? 'query' : 'ingester', env);
      const { grpcPort } = await app.logged('started');
      const { http } = await app.logged('health and metrics are served');
      if (grpcPort !== undefined) targets.push(`127.0.0.1:${Number(grpcPort)}`);
      apps.push({ name, process: app, http: String(http) });
    }
    const pollers = role('soak-pollers', `${pollsPerSecond}`, targets.join(','));
    const beganAt = new Date().toISOString();
    const sampler = new Sampler(apps, armada, pollers, redis, schedule);
    const samples: Sample[] = [];
    await sampler.sample();
    const until = performance.now() + minutes * 60_000;
    for (let n = 1; performance.now() < until; n++) {
      await sleep(SECONDS_PER_SAMPLE * 1_000);
      const ended = processes.find(({ exit }) => exit !== undefined);
      if (ended !== undefined) throw new Error(`a process exited with ${ended.exit}: ${ended.lastLines}`);
      samples.push(await sampler.sample());
      const { text, isFlat } = report(
        {
          minutes,
          eventsPerSecond,
          pollsPerSecond,
          beganAt,
          secondsPerSample: SECONDS_PER_SAMPLE,
          samples,
          containers:
            options.containerMib === undefined
              ? undefined
              : {
                  mib: options.containerMib,
                  areLimited: containers.every(({ isLimited }) => isLimited),
                  peakRss: new Map(apps.map(({ name, process }) => [name, peakRssBytes(process.pid)])),
                },
          ...sampler.totals(),
        },
        columns,
      );
      // After each sample: a run that is cut short leaves a report.
      writeFileSync(options.reportFile, text);
      if (performance.now() >= until) return isFlat;
    }
    return false;
  } finally {
    redis.disconnect();
    await Promise.all(containers.map((one) => one.kill()));
    await Promise.all(processes.map((one) => one.kill()));
    await redisServer.stop();
  }
}

/** Measures everything from time to time. */
class Sampler {
  private before = new Map<string, number>();

  constructor(
    private readonly apps: readonly RunningApp[],
    private readonly armada: AppProcess,
    private readonly pollers: AppProcess,
    private readonly redis: Redis,
    private readonly schedule: Schedule,
  ) {}

  totals() {
    const { polls = 0, errors = 0, late = 0 } = lastLine(this.pollers, 'polls');
    const { events = 0 } = lastLine(this.armada, 'events');
    return { polls: { polls, errors, late }, events, jobSets: this.schedule.jobSets(Date.now())[1] };
  }

  async sample(): Promise<Sample> {
    const sample = new Map<string, number>();
    const { polls = 0, p50 = 0, p99 = 0 } = lastLine(this.pollers, 'polls');
    const { events = 0, streams = 0 } = lastLine(this.armada, 'events');
    sample.set('events/s', this.rate('events', events));
    sample.set('polls/s', this.rate('polls', polls));
    sample.set('poll p50', p50);
    sample.set('poll p99', p99);
    sample.set('watches at Armada', streams);
    sample.set('age of states', await this.age());
    let assignments = 0;
    for (const { name, process, http } of this.apps) {
      const figures = processFigures(process.pid);
      const metrics = await (await fetch(`http://${http}/metrics`)).text();
      const metric = (of: string): number =>
        Number(new RegExp(`^${of} (\\S+)$`, 'm').exec(metrics)?.[1] ?? 0);
      if (figures === undefined) continue;
      sample.set(`${name} RSS`, figures.rssBytes);
      sample.set(`${name} heap`, metric('nodejs_heap_size_used_bytes'));
      sample.set(`${name} handles`, figures.handles);
      sample.set(`${name} CPU`, this.rate(name, figures.cpuSeconds) * 100);
      assignments += metric('armada_job_service_assignments');
    }
    sample.set('assignments', assignments);
    const info = await this.redis.info();
    const of = (what: string): number => Number(new RegExp(`^${what}:(\\d+)`, 'm').exec(info)?.[1] ?? 0);
    sample.set('Redis memory', of('used_memory'));
    sample.set('Redis clients', of('connected_clients'));
    sample.set('Redis keys', await this.redis.dbsize());
    return sample;
  }

  /** The age of the busy job set that is furthest behind. Milliseconds. */
  private async age(): Promise<number> {
    const now = Date.now();
    const [first, end] = this.schedule.jobSets(now);
    const busy = Array.from({ length: end - first }, (_, i) => first + i).filter((set) =>
      this.schedule.isBusy(set, now),
    );
    const ages = await Promise.all(
      busy.map(async (set) => {
        const cursor = await this.redis.hget(KEYS.metaKey(jobSetOf(set)), 'cursor');
        return ageOf(cursor, this.schedule.beginOf(set), Date.now());
      }),
    );
    return Math.max(0, ...ages);
  }

  /** The increase per second since the last sample. */
  private rate(name: string, total: number): number {
    const now = performance.now();
    const [beforeAt = now, before = total] = [this.before.get(`${name} at`), this.before.get(name)];
    this.before.set(`${name} at`, now).set(name, total);
    return now === beforeAt ? 0 : ((total - before) * 1_000) / (now - beforeAt);
  }
}

/** The numbers in the last line of this kind that a process printed. */
function lastLine(process: AppProcess, msg: string): Partial<Record<string, number>> {
  return (process.logs.findLast((line) => line.msg === msg) ?? {}) as Partial<Record<string, number>>;
}
