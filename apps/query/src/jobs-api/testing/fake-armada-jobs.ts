import { JobId } from '@ajs/job-state';
import { ArmadaJobsError, type ArmadaJobs } from '@ajs/armada-client';
import { JobDetails, JobRunDetails } from '@ajs/contracts/api/job';
import { JobState } from '@ajs/contracts/api/submit';

type Method = keyof ArmadaJobs;

/** Armada's own `api.Jobs` over jobs that a test gives it; keeps the calls it gets. */
export class FakeArmadaJobs implements ArmadaJobs {
  readonly jobs = new Map<string, JobDetails>();
  readonly errorTexts = new Map<string, string>();
  readonly externalUris = new Map<string, string>();
  activeQueuesByPool: Record<string, { queues: string[] }> = {};
  readonly calls: [method: Method, ...ids: string[]][] = [];
  /** What every call rejects with. */
  failure: ArmadaJobsError | undefined;

  /** A running job of job set q/s, unless told otherwise. */
  add(jobId: string, details: Partial<JobDetails> = {}): void {
    const job = { ...EMPTY_DETAILS, jobId, queue: 'q', jobset: 's', state: JobState.RUNNING, ...details };
    this.jobs.set(jobId, job);
  }

  status(jobIds: readonly string[]): Promise<Map<JobId, JobState>> {
    return this.answer('status', jobIds, (id) => this.jobs.get(id)?.state ?? JobState.UNKNOWN);
  }

  details(jobIds: readonly string[]): Promise<Map<JobId, JobDetails>> {
    return this.answer('details', jobIds, (id) => this.jobs.get(id));
  }

  errors(jobIds: readonly string[]): Promise<Map<JobId, string>> {
    return this.answer('errors', jobIds, (id) => this.errorTexts.get(id));
  }

  byExternalUri({ externalJobUri }: { externalJobUri: string }): Promise<Map<JobId, JobState>> {
    const matching = [...this.jobs.keys()].filter((id) => this.externalUris.get(id) === externalJobUri);
    return this.answer('byExternalUri', matching, (id) => this.jobs.get(id)?.state);
  }

  /** Every job has one run, `run-of-<job id>`. */
  runDetails(runIds: readonly string[]): Promise<Map<string, JobRunDetails>> {
    return this.answer('runDetails', runIds, (runId) => ({
      ...EMPTY_RUN,
      runId,
      jobId: runId.replace('run-of-', ''),
    }));
  }

  async activeQueues(): ReturnType<ArmadaJobs['activeQueues']> {
    await this.answer('activeQueues', [], () => undefined);
    return { activeQueuesByPool: this.activeQueuesByPool };
  }

  private answer<V>(
    method: Method,
    ids: readonly string[],
    of: (id: string) => V | undefined,
  ): Promise<Map<JobId, V>> {
    this.calls.push([method, ...ids]);
    if (this.failure !== undefined) return Promise.reject(this.failure);
    const answers = new Map<JobId, V>();
    for (const id of ids) {
      const value = of(id);
      if (value !== undefined) answers.set(JobId(id), value);
    }
    return Promise.resolve(answers);
  }
}

const EMPTY_DETAILS = JobDetails.decode(new Uint8Array());
const EMPTY_RUN = JobRunDetails.decode(new Uint8Array());

/** What a call rejects with while Armada cannot be reached. */
export const ARMADA_UNAVAILABLE = new ArmadaJobsError('unavailable', 'UNAVAILABLE: connection refused');
