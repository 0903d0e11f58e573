import type { ArmadaState } from './armada-state.js';
import type { Fate } from './fate.js';
import { SimulatedJob } from './simulated-job.js';

export interface SimulationOptions {
  readonly queue: string;
  readonly jobSets: number;
  /** Jobs of each job set. */
  readonly jobs: number;
  /** Steps of jobs a second, in all job sets together. */
  readonly rate: number;
  readonly random: () => number;
  readonly newJobId: () => string;
}

const TICK_MS = 50;
/** The most events of a job set that stay when it gets new jobs. */
const MAX_EVENTS = 50_000;

const FATES: readonly (readonly [share: number, fate: Fate])[] = [
  [0.75, { kind: 'succeeds' }],
  [0.08, { kind: 'fails', exitCode: 1 }],
  [0.06, { kind: 'is-retried', exitCode: 137 }],
  [0.05, { kind: 'is-cancelled' }],
  [0.04, { kind: 'is-preempted' }],
  [0.02, { kind: 'is-rejected' }],
];

/** Job sets whose jobs are submitted, run, and end in one way or another; when all of a set have ended, it gets as many new ones. */
export class SimulatedJobSets {
  private readonly timer: NodeJS.Timeout;
  private readonly jobs: SimulatedJob[][] = [];
  private owed = 0;

  constructor(
    private readonly state: ArmadaState,
    private readonly options: SimulationOptions,
  ) {
    for (let set = 0; set < options.jobSets; set++) this.jobs.push(this.submitAll(set));
    this.timer = setInterval(() => this.tick(), TICK_MS);
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private tick(): void {
    const { rate, random } = this.options;
    for (this.owed += (rate * TICK_MS) / 1000; this.owed >= 1; this.owed--) {
      const set = Math.floor(random() * this.jobs.length);
      const running = (this.jobs[set] ?? []).filter((job) => !job.hasEnded);
      if (running.length > 0) running[Math.floor(random() * running.length)]?.advance();
      else this.jobs[set] = this.submitAll(set);
    }
  }

  private submitAll(set: number): SimulatedJob[] {
    const { queue, jobs, newJobId } = this.options;
    const jobSetId = `demo-${set + 1}`;
    const log = this.state.openLog(queue, jobSetId);
    log.forgetOldest(log.length - MAX_EVENTS);
    return Array.from({ length: jobs }, () => {
      const ref = { jobId: newJobId(), queue, jobSetId };
      return new SimulatedJob(this.state, ref, { namespace: 'default', annotations: {} }, this.fate());
    });
  }

  private fate(): Fate {
    let left = this.options.random();
    for (const [share, fate] of FATES) {
      if (left < share) return fate;
      left -= share;
    }
    return { kind: 'succeeds' };
  }
}
