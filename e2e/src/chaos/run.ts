import { setTimeout as sleep } from 'node:timers/promises';
import { JobState as ApiState } from '@ajs/contracts/api/submit';
import { RedisJobLister, createRedisClient } from '@ajs/job-store';
import { eventually, eventsAt, armadaJob, seededRandom, type ArmadaJob } from '@ajs/testing';
import { BOUNDS, type Bounds } from './bounds.js';
import { inject } from './faults.js';
import { groupBy } from './group-by.js';
import type { History, Disturbance, TrueJob, Unpolled } from './history.js';
import { isLost } from './lost-jobs.js';
import { LOSE_WRITES, type Plan, type PlannedJobSet } from './plan.js';
import { Pollers, now, type PolledJob } from './pollers.js';
import { Stage, type StageOptions } from './stage.js';
import { Truth } from './truth.js';
import { Waiters } from './waiters.js';
import { Watchers } from './watchers.js';
import { isTerminal, apiStateOf } from './api-states.js';

const TICK_MS = 10;
/** A timer that is so late shows that the machine stalls, probably for every process. */
const STALL_MS = 300;
const LOOK_FOR_STALLS_EVERY_MS = 50;
const POLLERS = 6;
const POLLERS_AT_THE_END = 4;
const WAITERS = 4;
/** Of each job set that is polled often: one stays with its streams, the others leave them and resume. */
const WATCHERS = 5;
/** For so long from its beginning the jobs of a job set are waited for: most have ended by then. */
const WAITED_FOR_MS = 40_000;
/** A job set that is polled seldom is polled for one second in so many. */
const SELDOM_SECONDS = 12;
/**
 * A job set polled at both ends is polled for this long from its beginning, and once more after Redis has lost writes for the last time,
 * since its interest may have been among them.
 */
const FIRST_POLLS_MS = 2_500;
/** The share of polls for jobs that Armada does not have yet. */
const TOO_EARLY_SHARE = 0.02;

export interface RunOptions extends StageOptions {
  readonly bounds?: Bounds;
  /** Called with a line for each thing that happens. */
  readonly print?: (line: string) => void;
}

/** Carries out a plan, polls all the while, repairs every fault, and resolves to what happened. */
export async function run(plan: Plan, options: RunOptions): Promise<History> {
  const stage = await Stage.start(options);
  const running = new Run(plan, stage, options);
  try {
    return await running.toTheEnd();
  } finally {
    await stage.stop();
  }
}

class Run {
  private readonly truth = new Truth();
  private readonly jobs = new Map<string, ArmadaJob>();
  private readonly disturbances: Disturbance[] = [];
  private readonly random;
  private readonly pollers: Pollers;
  private readonly watchers: Watchers;
  private readonly waiters: Waiters;
  private readonly bounds: Bounds;
  private beganAt = 0;
  private lossesLeft: number;
  private lastLossAt = -Infinity;

  constructor(
    private readonly plan: Plan,
    private readonly stage: Stage,
    private readonly options: RunOptions,
  ) {
    // The order of polls depends on the answers, and so on the machine's speed: it cannot be part of the plan.
    this.random = seededRandom(plan.seed + 1);
    const targets = () => stage.targets();
    this.pollers = new Pollers(targets, this.random);
    this.watchers = new Watchers(targets, this.random);
    this.waiters = new Waiters(targets, this.random);
    this.bounds = options.bounds ?? BOUNDS;
    this.lossesLeft = plan.faults.filter(({ name }) => LOSE_WRITES.has(name)).length;
  }

  async toTheEnd(): Promise<History> {
    this.beganAt = now();
    const stalls = this.lookForStalls();
    this.noteWhatIsPublished();
    this.pollers.start(POLLERS, () => this.nextPoll());
    this.waiters.start(WAITERS, () => this.nextWait());
    await Promise.all([this.live(), this.watch(), this.inject()]);
    this.print('all faults are repaired; waiting for what is still to be reported');
    const [unpolled] = await Promise.all([this.lookWithoutPolling(), this.watchToTheEnd()]);
    await this.watchers.stop();
    this.waiters.stop();
    await this.pollers.stop();
    await this.pollToTheEnd();
    clearInterval(stalls);
    return {
      truth: this.trueJobs(),
      answers: this.pollers.answers,
      watches: this.watchers.streams.watches,
      waits: this.waiters.waits,
      writes: this.stage.writes,
      disturbances: this.disturbances,
      processes: this.stage.processes(),
      unpolled,
      excesses: this.stage.excesses,
    };
  }

  private get ran(): number {
    return now() - this.beganAt;
  }

  private async live(): Promise<void> {
    for (const { at, key, jobId, messages: planned } of this.plan.steps) {
      while (this.ran < at) await sleep(TICK_MS);
      const messages = eventsAt(Math.floor(now()), planned);
      const job = this.jobs.get(jobId) ?? armadaJob({ ...key, jobId });
      this.jobs.set(jobId, job);
      this.truth.append(key, messages, now());
      const apiState = apiStateOf(this.truth.state(jobId) ?? 'SUBMITTED', 'jobs');
      this.stage.armada.state.move(job, ApiState[apiState as keyof typeof ApiState], messages);
    }
  }

  /** Job sets are watched from their beginning. */
  private async watch(): Promise<void> {
    for (const jobSet of this.plan.jobSets.filter(isWatched).sort((a, b) => a.from - b.from)) {
      await sleep(Math.max(0, jobSet.from - this.ran));
      for (let n = 0; n < WATCHERS; n++) this.watchers.watchJobSet(jobSet, n > 0);
      this.watchers.watchJobs(jobSet);
    }
  }

  private nextWait(): PlannedJobSet | undefined {
    const { ran } = this;
    const isLive = ({ from }: PlannedJobSet): boolean => from < ran && ran < from + WAITED_FOR_MS;
    return this.oneOf(this.plan.jobSets.filter((jobSet) => isWatched(jobSet) && isLive(jobSet)));
  }

  private noteWhatIsPublished(): void {
    for (const { key } of this.plan.jobSets) {
      const log = this.stage.armada.state.openLog(key.queue, key.jobSetId);
      log.onAppend(() => this.truth.publish(key, log.end, now()));
    }
  }

  /** What happened to each job, and since when answers about it may have come from Armada's `api.Jobs`. */
  private trueJobs(): TrueJob[] {
    const { lookout } = this.stage.armada.state;
    return this.truth.jobs().map((job) => {
      const lookedUpAt = lookout.firstAskedAt(job.jobId);
      return { ...job, ...(lookedUpAt !== undefined && { lookedUpAt }) };
    });
  }

  /** Faults of one part come one after the other: a repair may take longer than planned. */
  private async inject(): Promise<void> {
    const parts = groupBy(this.plan.faults, ({ name }) => name.slice(0, name.indexOf(' ')));
    await Promise.all(
      Array.from(parts.values(), async (faults) => {
        for (const fault of faults) {
          await sleep(Math.max(0, fault.at - this.ran));
          if (this.ran > this.plan.lasts) return;
          this.print(`${fault.name} for ${fault.lasts} ms`);
          const disturbance = await inject(this.stage, fault, this.truth);
          this.disturbances.push(disturbance);
          if (disturbance.lostWrites && --this.lossesLeft === 0) this.lastLossAt = this.ran;
        }
      }),
    );
  }

  private lookForStalls(): NodeJS.Timeout {
    let due = now() + LOOK_FOR_STALLS_EVERY_MS;
    return setInterval(() => {
      const to = now();
      if (to - due > STALL_MS)
        this.disturbances.push({ kind: 'machine stall', of: 'machine', from: due, to });
      due = to + LOOK_FOR_STALLS_EVERY_MS;
    }, LOOK_FOR_STALLS_EVERY_MS);
  }

  private nextPoll(): PolledJob | undefined {
    const { ran } = this;
    const jobSet = this.oneOf(this.plan.jobSets.filter((one) => isPolled(one, ran, this.lastLossAt)));
    const jobId = jobSet && this.oneOf(jobSet.jobIds);
    if (jobSet === undefined || jobId === undefined) return undefined;
    const isTooEarly = this.truth.state(jobId) === undefined;
    return isTooEarly && this.random() > TOO_EARLY_SHARE ? undefined : { key: jobSet.key, jobId };
  }

  /** Waits for terminal states to reach Redis without polls, in job sets polled since Redis last lost writes: it has their interest. */
  private async lookWithoutPolling(): Promise<Unpolled[]> {
    const lostAt = Math.max(
      0,
      ...this.disturbances.filter(({ lostWrites }) => lostWrites).map(({ to }) => to),
    );
    const known = new Set(
      this.pollers.answers.flatMap(({ result, api, requestedAt, key }) =>
        result.kind === 'state' && api === 'legacy' && requestedAt > lostAt ? [key.jobSetId] : [],
      ),
    );
    const unpolled = this.plan.jobSets.filter(
      ({ polled, key }) => polled === 'at-both-ends' && known.has(key.jobSetId),
    );
    const redis = createRedisClient(this.stage.redis.target, 'writer', () => undefined);
    const lister = new RedisJobLister(redis);
    const look = async (): Promise<Unpolled[]> => {
      const found: Unpolled[] = [];
      for (const { key, jobIds } of unpolled) {
        const { jobs } = await lister.read(key, jobIds);
        for (const jobId of jobIds) found.push({ key, jobId, state: jobs.get(jobId)?.state });
      }
      return found;
    };
    const isRight = ({ jobId, state }: Unpolled): boolean => state === this.truth.state(jobId);
    try {
      return await eventually(
        'terminal states reach Redis without polls',
        async () => {
          const found = await look();
          return found.every(isRight) && found;
        },
        this.bounds.untilReported,
      ).catch(look);
    } finally {
      redis.disconnect();
    }
  }

  /** Waits until every watcher has received how each job is, or time is up. */
  private async watchToTheEnd(): Promise<void> {
    const jobs = this.truth.jobs().filter((job) => !isLost(job, this.disturbances));
    const last = new Map(jobs.map(({ jobId, stages }) => [jobId, stages.at(-1)?.state]));
    const knowsAll = (): boolean =>
      this.watchers.ofJobSets.every(({ jobIds, states }) =>
        jobIds.every((jobId) => !last.has(jobId) || states.get(jobId) === last.get(jobId)),
      );
    await eventually('every watcher knows all states', knowsAll, this.bounds.untilReported).catch(
      () => undefined,
    );
  }

  /** Polls every job until its answer is right or time is up. */
  private async pollToTheEnd(): Promise<void> {
    const left = this.truth.jobs();
    const until = now() + this.bounds.untilReported;
    const poll = async (): Promise<void> => {
      for (let job = left.pop(); job !== undefined; job = left.pop()) {
        const state = job.stages.at(-1)?.state;
        if (state === undefined || !isTerminal(state) || isLost(job, this.disturbances)) continue;
        for (;;) {
          const result = (await this.pollers.poll(job, 'legacy'))?.result;
          if ((result?.kind === 'state' && result.apiState === apiStateOf(state, 'legacy')) || now() > until)
            break;
          await sleep(TICK_MS);
        }
      }
    };
    await Promise.all(Array.from({ length: POLLERS_AT_THE_END }, poll));
  }

  private oneOf<T>(choices: readonly T[]): T | undefined {
    return choices[Math.floor(this.random() * choices.length)];
  }

  private print(what: string): void {
    this.options.print?.(`${(this.ran / 1_000).toFixed(1).padStart(6)} s  ${what}`);
  }
}

/** Watching counts as interest: it would keep up those that are polled seldom. */
function isWatched({ polled }: PlannedJobSet): boolean {
  return polled === 'often';
}

function isPolled({ polled, from }: PlannedJobSet, ran: number, lastLossAt: number): boolean {
  if (ran < from) return false;
  switch (polled) {
    case 'often':
      return true;
    case 'seldom':
      return ran - from < FIRST_POLLS_MS || Math.floor((ran - from) / 1_000) % SELDOM_SECONDS === 0;
    case 'at-both-ends':
      return ran - Math.max(from, lastLossAt) < FIRST_POLLS_MS;
  }
}
