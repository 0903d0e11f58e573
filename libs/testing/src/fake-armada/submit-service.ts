import { HealthCheckResponse_ServingStatus } from '@ajs/contracts/api/health';
import type { JobSubmitRequestItem, SubmitServer } from '@ajs/contracts/api/submit';
import { status } from '@grpc/grpc-js';
import type { ArmadaState } from './armada-state.js';
import { UNAVAILABLE, rpcError, type Faults } from './faults.js';
import { JobLife, type Fate } from './job-life.js';

export interface SubmitOptions {
  readonly newJobId: () => string;
  /** Time between two steps of a submitted job. Milliseconds. */
  readonly stepMs: number;
}

/**
 * `api.Submit`: submitted jobs run by themselves. One whose pod spec contains `exit N`, N not 0, fails with that code; with
 * `sleep N` it runs N seconds longer than others.
 */
export class SubmitService {
  private readonly lives = new Map<string, JobLife>();
  private readonly byClientId = new Map<string, string>();
  private readonly timers = new Set<NodeJS.Timeout>();

  constructor(
    private readonly state: ArmadaState,
    private readonly faults: Faults,
    private readonly options: SubmitOptions,
  ) {}

  readonly implementation: Pick<SubmitServer, 'submitJobs' | 'cancelJobs' | 'health'> = {
    submitJobs: ({ request: { queue, jobSetId, jobRequestItems } }, callback) => {
      if (this.faults.now.unavailable) return callback(UNAVAILABLE);
      if (!this.state.queues.has(queue)) {
        return callback(rpcError(status.NOT_FOUND, `[SubmitJobs] could not find queue ${queue}`));
      }
      if (jobSetId === '')
        return callback(rpcError(status.INVALID_ARGUMENT, '[SubmitJobs] job set id is empty'));
      callback(null, {
        jobResponseItems: jobRequestItems.map((item) => ({
          jobId: this.submit(queue, jobSetId, item),
          error: '',
        })),
      });
    },
    cancelJobs: ({ request: { jobId, jobIds, reason } }, callback) => {
      if (this.faults.now.unavailable) return callback(UNAVAILABLE);
      const asked = [...new Set([jobId, ...jobIds])].filter((id) => this.lives.has(id));
      for (const id of asked) this.lives.get(id)?.cancel(reason);
      callback(null, { cancelledIds: asked });
    },
    health: (_call, callback) => {
      if (this.faults.now.unavailable) callback(UNAVAILABLE);
      else callback(null, { status: HealthCheckResponse_ServingStatus.SERVING });
    },
  };

  stop(): void {
    for (const timer of this.timers) clearInterval(timer);
  }

  /** The id of the new job, or of the one submitted before under the same client id in the same queue. */
  private submit(queue: string, jobSetId: string, item: JobSubmitRequestItem): string {
    const client = item.clientId === '' ? undefined : JSON.stringify([queue, item.clientId]);
    const earlier = client === undefined ? undefined : this.byClientId.get(client);
    if (earlier !== undefined) return earlier;
    const jobId = this.options.newJobId();
    if (client !== undefined) this.byClientId.set(client, jobId);
    const life = new JobLife(this.state, { jobId, queue, jobSetId }, item, this.fateOf(item));
    this.lives.set(jobId, life);
    const timer = setInterval(() => {
      life.advance();
      if (!life.hasEnded) return;
      clearInterval(timer);
      this.timers.delete(timer);
    }, this.options.stepMs);
    this.timers.add(timer);
    return jobId;
  }

  private fateOf({ podSpec, podSpecs }: JobSubmitRequestItem): Fate {
    const text = Buffer.concat([podSpec, ...podSpecs]).toString('latin1');
    const exitCode = Number(/exit (\d{1,3})/.exec(text)?.[1] ?? 0);
    const seconds = Number(/sleep (\d{1,4})/.exec(text)?.[1] ?? 0);
    const runSteps = Math.ceil((seconds * 1000) / this.options.stepMs);
    return exitCode === 0 ? { kind: 'succeeds', runSteps } : { kind: 'fails', exitCode, runSteps };
  }
}
