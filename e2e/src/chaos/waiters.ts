import { setTimeout as sleep } from 'node:timers/promises';
import {
  JobState,
  JobStatusServiceService,
  WaitCondition,
} from '@ajs/contracts/jobservice/v2/job_status_service';
import { unary } from '@ajs/testing';
import { stateNameOf } from '../job-set-watch.js';
import type { Wait } from './history.js';
import { between, oneOf, type Random } from './job-lives.js';
import { now, type Target } from './pollers.js';
import type { Watched } from './watchers.js';

const MOST_JOBS = 3;
/** Shorter and longer than what a lost wake-up may take. Milliseconds. */
const MAX_WAITS_MS = [500, 15_000] as const;
/** How long the answer may take after `max_wait`. Milliseconds. */
const PATIENCE_MS = 15_000;
const PAUSE_MS = 50;

/** Wait for some jobs after the others at any query, and record the answers. */
export class Waiters {
  readonly waits: Wait[] = [];
  private isWaiting = true;

  /** @param targets the queries that run now */
  constructor(
    private readonly targets: () => readonly Target[],
    private readonly random: Random,
  ) {}

  /** @param next of which jobs some are waited for; `undefined` pauses and tries again */
  start(waiters: number, next: () => Watched | undefined): void {
    for (let n = 0; n < waiters; n++) void this.loop(next);
  }

  /** Answers that come later are not recorded. */
  stop(): void {
    this.isWaiting = false;
  }

  private async loop(next: () => Watched | undefined): Promise<void> {
    while (this.isWaiting) {
      const watched = next();
      const targets = this.targets();
      const target = targets[Math.floor(this.random() * targets.length)];
      if (watched !== undefined && target !== undefined) {
        // A call may fail while a query or Redis does: then it has no answer to be judged.
        await this.wait(target, watched).catch(() => undefined);
      }
      await sleep(PAUSE_MS);
    }
  }

  private async wait({ name, client }: Target, { key, jobIds: all }: Watched): Promise<void> {
    const { random } = this;
    const first = between(random, 0, all.length - 1);
    const jobIds = all.slice(first, first + between(random, 1, MOST_JOBS));
    const states = oneOf(random, [[], [JobState.JOB_STATE_RUNNING]]);
    const { condition, count } = oneOf(random, [
      { condition: WaitCondition.WAIT_CONDITION_ALL, count: jobIds.length },
      { condition: WaitCondition.WAIT_CONDITION_ANY, count: 1 },
    ]);
    const maxWaitMs = between(random, ...MAX_WAITS_MS);
    const requestedAt = now();
    const { answer } = await unary(
      client,
      JobStatusServiceService.waitForJobs,
      {
        refs: jobIds.map((jobId) => ({ queue: key.queue, jobSet: key.jobSetId, jobId })),
        condition,
        states,
        count: 0,
        maxWait: { seconds: `${Math.floor(maxWaitMs / 1_000)}`, nanos: (maxWaitMs % 1_000) * 1e6 },
      },
      { deadline: Date.now() + maxWaitMs + PATIENCE_MS },
    );
    const reported = answer.results.flatMap(({ ref, result }) =>
      result?.$case === 'job' ? [[ref?.jobId ?? '', stateNameOf(result.value.state)] as const] : [],
    );
    if (!this.isWaiting) return;
    this.waits.push({
      query: name,
      key,
      jobIds,
      count,
      states: states.map(stateNameOf),
      maxWaitMs,
      requestedAt,
      answeredAt: now(),
      satisfied: answer.satisfied,
      reported: Object.fromEntries(reported),
    });
  }
}
