import { setTimeout as sleep } from 'node:timers/promises';
import { JobsService } from '@ajs/contracts/api/job';
import { JobState as ApiState } from '@ajs/contracts/api/submit';
import { JobServiceResponse_State, JobServiceService } from '@ajs/contracts/jobservice/jobservice';
import type { JobSetKey } from '@ajs/job-state';
import { unary } from '@ajs/testing';
import { status, type Client, type ServiceError } from '@grpc/grpc-js';
import type { Answer, Api, Result } from './history.js';
import type { Random } from './job-lives.js';

const DEADLINE_MS = 15_000;
const PAUSE_MS = 20;
/** One of so many polls is of `api.Jobs`. */
const API_JOBS_SHARE = 0.25;

export interface PolledJob {
  readonly key: JobSetKey;
  readonly jobId: string;
}

export interface Target {
  readonly name: string;
  readonly client: Client;
}

/** Milliseconds since the epoch, with fractions. */
export function now(): number {
  return performance.timeOrigin + performance.now();
}

/** Poll one job after the other by both APIs at any query, and record every answer. */
export class Pollers {
  readonly answers: Answer[] = [];
  private polling = true;
  private readonly loops: Promise<void>[] = [];

  /** @param targets the queries that run now */
  constructor(
    private readonly targets: () => readonly Target[],
    private readonly random: Random,
  ) {}

  /** @param next what to poll next; `undefined` pauses and tries again */
  start(pollers: number, next: () => PolledJob | undefined): void {
    for (let n = 0; n < pollers; n++) this.loops.push(this.loop(next));
  }

  async stop(): Promise<void> {
    this.polling = false;
    await Promise.all(this.loops);
  }

  /** Polls a job once; `undefined` while no query runs. */
  async poll(
    { key, jobId }: PolledJob,
    api: Api = this.random() < API_JOBS_SHARE ? 'jobs' : 'legacy',
  ): Promise<Answer | undefined> {
    const targets = this.targets();
    const target = targets[Math.floor(this.random() * targets.length)];
    if (target === undefined) return undefined;
    const requestedAt = now();
    const result = await request(target.client, api, key, jobId);
    const answer = { api, query: target.name, key, jobId, requestedAt, answeredAt: now(), ...result };
    this.answers.push(answer);
    return answer;
  }

  private async loop(next: () => PolledJob | undefined): Promise<void> {
    while (this.polling) {
      const job = next();
      if (job !== undefined) await this.poll(job);
      await sleep(PAUSE_MS);
    }
  }
}

type Received = Pick<Answer, 'result' | 'subscription' | 'syncedAt'>;

async function request(client: Client, api: Api, key: JobSetKey, jobId: string): Promise<Received> {
  const deadline = Date.now() + DEADLINE_MS;
  try {
    return api === 'legacy'
      ? await requestLegacy(client, key, jobId, deadline)
      : await requestJobs(client, jobId, deadline);
  } catch (error) {
    const { code, details } = error as ServiceError;
    const reason = `${status[code]}: ${details}`;
    // A failed connection and a query that answers UNAVAILABLE have the same code; only the query gives a reason of its own.
    const isOurs =
      code === status.UNAVAILABLE &&
      !/^(No connection|Connection dropped|Channel closed|read E|14 )/.test(details);
    return { result: { kind: isOurs ? 'unavailable' : 'no-answer', reason } };
  }
}

async function requestLegacy(
  client: Client,
  key: JobSetKey,
  jobId: string,
  deadline: number,
): Promise<Received> {
  const request = { ...key, jobId };
  const { answer, trailers } = await unary(client, JobServiceService.getJobStatus, request, { deadline });
  const [subscription] = trailers.get('armada-job-set-subscription').map(String);
  const [syncedAt] = trailers.get('armada-job-set-synced-at').map(String);
  return {
    result: legacyResult(answer.state, answer.error),
    ...(subscription !== undefined && { subscription }),
    ...(syncedAt !== undefined && { syncedAt: Date.parse(syncedAt) }),
  };
}

async function requestJobs(client: Client, jobId: string, deadline: number): Promise<Received> {
  const { answer } = await unary(client, JobsService.getJobStatus, { jobIds: [jobId] }, { deadline });
  const state = answer.jobStates[jobId];
  if (state === ApiState.UNKNOWN) return { result: { kind: 'not-found' } };
  const apiState = Object.keys(ApiState).find((name) => ApiState[name as keyof typeof ApiState] === state);
  return { result: { kind: 'state', apiState: apiState ?? 'left out' } };
}

function legacyResult(state: JobServiceResponse_State, error: string): Result {
  if (state === JobServiceResponse_State.JOB_ID_NOT_FOUND) return { kind: 'not-found' };
  if (state === JobServiceResponse_State.CONNECTION_ERR) return { kind: 'unavailable', reason: error };
  const apiState = Object.keys(JobServiceResponse_State).find(
    (name) => JobServiceResponse_State[name as keyof typeof JobServiceResponse_State] === state,
  );
  return { kind: 'state', apiState: apiState ?? `${state}` };
}
