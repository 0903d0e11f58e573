import { JobServiceResponse_State, JobServiceService } from '@ajs/contracts/jobservice/jobservice';
import { JobStatusServiceService } from '@ajs/contracts/jobservice/v2/job_status_service';
import type { JobSetKey } from '@ajs/job-state';
import { unary } from '@ajs/testing';
import { Client, credentials, status, type ServiceError } from '@grpc/grpc-js';
import type { Answer, JobRef, StateName } from './comparison.js';

const ANSWER_MS = 10_000;
const PAGE_SIZE = 1_000;

const NAMES = new Map<number, StateName>(
  Object.entries(JobServiceResponse_State).map(([name, value]) => [value, name as StateName]),
);

export interface SideOptions {
  /** `host:port` */
  readonly address: string;
  readonly tls: boolean;
  /** The value of the metadata `authorization`. */
  readonly authorization?: string | undefined;
}

/** One of the two services. */
export class Side {
  private readonly client: Client;

  constructor(private readonly options: SideOptions) {
    this.client = new Client(
      options.address,
      options.tls ? credentials.createSsl() : credentials.createInsecure(),
    );
  }

  /** What it says of a job, by the legacy API. Never rejects: no answer is one without a state. */
  async answer(ref: JobRef): Promise<Answer> {
    try {
      const { answer } = await unary(this.client, JobServiceService.getJobStatus, ref, this.callOptions);
      const state = NAMES.get(answer.state);
      if (state === undefined) return { text: `answered the unknown state ${answer.state}` };
      return state === 'CONNECTION_ERR'
        ? { text: `CONNECTION_ERR: ${answer.error}` }
        : { state, text: answer.error };
    } catch (error) {
      return { text: textOf(error as ServiceError) };
    }
  }

  /** The jobs of a job set, by the newer API, at most so many. Rejects with words for people. */
  async jobsOf({ queue, jobSetId }: JobSetKey, most: number): Promise<JobRef[]> {
    const refs: JobRef[] = [];
    let pageToken = '';
    try {
      do {
        const request = { queue, jobSet: jobSetId, states: [], pageSize: PAGE_SIZE, pageToken };
        const { answer } = await unary(
          this.client,
          JobStatusServiceService.listJobs,
          request,
          this.callOptions,
        );
        for (const { ref } of answer.jobs) if (ref) refs.push({ queue, jobSetId, jobId: ref.jobId });
        pageToken = answer.nextPageToken;
      } while (pageToken !== '' && refs.length < most);
    } catch (error) {
      throw new Error(
        `cannot list the jobs of ${queue}/${jobSetId} at ${this.options.address}: ${textOf(error as ServiceError)}`,
        { cause: error },
      );
    }
    return refs.slice(0, most);
  }

  close(): void {
    this.client.close();
  }

  private get callOptions(): { deadline: number; authorization: string | undefined } {
    return { deadline: Date.now() + ANSWER_MS, authorization: this.options.authorization };
  }
}

function textOf({ code, details, message }: ServiceError): string {
  return `${status[code]}: ${details || message}`;
}
