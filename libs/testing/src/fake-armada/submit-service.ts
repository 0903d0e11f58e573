import { HealthCheckResponse_ServingStatus } from '@ajs/contracts/api/health';
import {
  JobSubmitRequest,
  SubmitService as SubmitDefinition,
  type JobSubmitRequestItem,
  type JobSubmitResponseItem,
  type SubmitServer,
} from '@ajs/contracts/api/submit';
import { status, type sendUnaryData } from '@grpc/grpc-js';
import type { ArmadaState } from './armada-state.js';
import { fateOf } from './fate.js';
import { UNAVAILABLE, rpcError, type Faults } from './faults.js';
import { JOB_SUBMIT_REQUEST, asGogoReads } from './gogo.js';
import { SimulatedJob } from './simulated-job.js';
import { refusalOf } from './submit-rules.js';

export interface SubmitOptions {
  readonly newJobId: () => string;
  /** Time between two steps of a submitted job. Milliseconds. */
  readonly stepMs: number;
}

interface JobSetNames {
  readonly queue: string;
  readonly jobSetId: string;
}

/** Submits are read as Armada's decoder does. */
export const submitDefinition = {
  ...SubmitDefinition,
  submitJobs: {
    ...SubmitDefinition.submitJobs,
    requestDeserialize: (bytes: Buffer) => JobSubmitRequest.decode(asGogoReads(bytes, JOB_SUBMIT_REQUEST)),
  },
};

/** `api.Submit`, apart from queues: submitted jobs run on their own, each to the {@link fateOf} its pod spec. */
export class SubmitService {
  private readonly jobs = new Map<string, SimulatedJob>();
  private readonly byClientId = new Map<string, string>();
  private readonly timers = new Set<NodeJS.Timeout>();

  constructor(
    private readonly state: ArmadaState,
    private readonly faults: Faults,
    private readonly options: SubmitOptions,
  ) {}

  readonly implementation: Pick<
    SubmitServer,
    'submitJobs' | 'cancelJobs' | 'cancelJobSet' | 'preemptJobs' | 'reprioritizeJobs' | 'health'
  > = {
    submitJobs: ({ request }, callback) =>
      this.answer(
        'SubmitJobs',
        request,
        callback,
        () => ({ jobResponseItems: request.jobRequestItems.map((item) => this.submit(request, item)) }),
        refusalOf(request),
        // Armada answers so whatever is wrong with the queue.
        rpcError(status.PERMISSION_DENIED, `could not find queue "${request.queue}"`),
      ),
    cancelJobs: ({ request }, callback) =>
      this.answer('CancelJobs', request, callback, () => {
        const { jobId, jobIds, reason } = request;
        const requested = [...new Set([...jobIds, jobId])].filter((id) => id !== '');
        const jobs = requested.length > 0 ? this.jobsOf(requested) : this.jobsIn(request);
        for (const job of jobs) job.cancel(reason);
        // Without an id the whole job set is cancelled, and the response names the empty id.
        return { cancelledIds: requested.length > 0 ? requested : [''] };
      }),
    cancelJobSet: ({ request }, callback) =>
      this.answer('CancelJobSet', request, callback, () => {
        const states = request.filter?.states ?? [];
        for (const simulated of this.jobsIn(request)) {
          const { state } = simulated.job;
          if (states.length === 0 || states.includes(state)) simulated.cancel(request.reason);
        }
        return {};
      }),
    preemptJobs: ({ request }, callback) =>
      this.answer('PreemptJobs', request, callback, () => {
        const reason = `Preempted by anonymous${request.reason === '' ? '' : ` - ${request.reason}`}`;
        for (const job of this.jobsOf(request.jobIds)) job.preempt(reason);
        return { preemptionResults: noErrors(request.jobIds) };
      }),
    reprioritizeJobs: ({ request }, callback) =>
      this.answer('ReprioritizeJobs', request, callback, () => {
        const { jobIds, jobSetId, newPriority } = request;
        const all = jobIds.length === 0;
        for (const job of all ? this.jobsIn(request) : this.jobsOf(jobIds)) job.reprioritize(newPriority);
        return { reprioritizationResults: noErrors(all ? [`all jobs in job set ${jobSetId}`] : jobIds) };
      }),
    health: (_call, callback) => {
      if (this.faults.now.unavailable) callback(UNAVAILABLE);
      else callback(null, { status: HealthCheckResponse_ServingStatus.SERVING });
    },
  };

  stop(): void {
    for (const timer of this.timers) clearInterval(timer);
  }

  /** Does what CancelJobs does. */
  cancel(jobId: string, reason: string): void {
    this.jobs.get(jobId)?.cancel(reason);
  }

  private answer<T>(
    method: string,
    { queue, jobSetId }: JobSetNames,
    callback: sendUnaryData<T>,
    act: () => T,
    refusal = jobSetId === '' ? `[${method}] job set id is empty` : undefined,
    noQueue = rpcError(status.NOT_FOUND, `[${method}] could not find queue ${queue}`),
  ): void {
    if (this.faults.now.unavailable) {
      callback(UNAVAILABLE);
      return;
    }
    if (!this.state.queues.has(queue)) {
      callback(noQueue);
      return;
    }
    if (refusal !== undefined) {
      callback(rpcError(status.INVALID_ARGUMENT, refusal));
      return;
    }
    callback(null, act());
  }

  private jobsOf(jobIds: readonly string[]): SimulatedJob[] {
    return jobIds.map((jobId) => this.jobs.get(jobId)).filter((job) => job !== undefined);
  }

  private jobsIn({ queue, jobSetId }: JobSetNames): SimulatedJob[] {
    return [...this.jobs.values()].filter(({ job }) => job.queue === queue && job.jobSetId === jobSetId);
  }

  /** The id of the new job, or of the one submitted before under the same client id in the same queue. */
  private submit({ queue, jobSetId }: JobSetNames, item: JobSubmitRequestItem): JobSubmitResponseItem {
    const fate = fateOf(item, this.options.stepMs);
    if (fate === 'is-refused') return { jobId: '', error: 'the job was refused, as its pod spec requests' };
    const client = item.clientId === '' ? undefined : JSON.stringify([queue, item.clientId]);
    const earlier = client === undefined ? undefined : this.byClientId.get(client);
    if (earlier !== undefined) return { jobId: earlier, error: '' };
    const jobId = this.options.newJobId();
    if (client !== undefined) this.byClientId.set(client, jobId);
    const job = new SimulatedJob(this.state, { jobId, queue, jobSetId }, item, fate, item.externalJobUri);
    this.jobs.set(jobId, job);
    const timer = setInterval(() => {
      job.advance();
      if (!job.hasEnded) return;
      clearInterval(timer);
      this.timers.delete(timer);
    }, this.options.stepMs);
    this.timers.add(timer);
    return { jobId, error: '' };
  }
}

const noErrors = (names: readonly string[]): Record<string, string> =>
  Object.fromEntries(names.map((name) => [name, '']));
