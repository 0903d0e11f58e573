import { setTimeout as sleep } from 'node:timers/promises';
import { JobsService } from '@ajs/contracts/api/job';
import { JobState as ApiState } from '@ajs/contracts/api/submit';
import { JobServiceResponse_State, JobServiceService } from '@ajs/contracts/jobservice/jobservice';
import type { JobSetKey } from '@ajs/job-state';
import { unary } from '@ajs/testing';
import { status, type Client, type ServiceError } from '@grpc/grpc-js';
import type { Answer, Api, Told } from './history.js';
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

/** Now: milliseconds since the epoch, and fractions. */
export function now(): number {
  return performance.timeOrigin + performance.now();
}

/** Callers that poll one job after the other, by both APIs, at any query, and keep every answer. */
export class Pollers {
  readonly answers: Answer[] = [];
  private polling = true;
  private readonly loops: Promise<void>[] = [];

  /** @param targets the queries there are now */
  constructor(
    private readonly targets: () => readonly Target[],
    private readonly random: Random,
  ) {}

  /** @param next what to poll next; nothing: a pause, and it is asked again */
  start(pollers: number, next: () => PolledJob | undefined): void {
    for (let n = 0; n < pollers; n++) this.loops.push(this.loop(next));
  }

  async stop(): Promise<void> {
    this.polling = false;
    await Promise.all(this.loops);
  }

  /** Polls a job once; `undefined` while there is no query. */
  async poll(
    { key, jobId }: PolledJob,
    api: Api = this.random() < API_JOBS_SHARE ? 'jobs' : 'legacy',
  ): Promise<Answer | undefined> {
    const targets = this.targets();
    const target = targets[Math.floor(this.random() * targets.length)];
    if (target === undefined) return undefined;
    const askedAt = now();
    const told = await ask(target.client, api, key, jobId);
    const answer = { api, query: target.name, key, jobId, askedAt, answeredAt: now(), ...told };
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

type Heard = Pick<Answer, 'told' | 'subscription' | 'levelAt'>;

async function ask(client: Client, api: Api, key: JobSetKey, jobId: string): Promise<Heard> {
  const deadline = Date.now() + DEADLINE_MS;
  try {
    return api === 'legacy'
      ? await askLegacy(client, key, jobId, deadline)
      : await askJobs(client, jobId, deadline);
  } catch (error) {
    const { code, details } = error as ServiceError;
    const reason = `${status[code]}: ${details}`;
    // A connection that failed and a query that says UNAVAILABLE look alike; a query tells why.
    const isOurs =
      code === status.UNAVAILABLE &&
      !/^(No connection|Connection dropped|Channel closed|read E|14 )/.test(details);
    return { told: { kind: isOurs ? 'trouble' : 'no-answer', reason } };
  }
}

async function askLegacy(client: Client, key: JobSetKey, jobId: string, deadline: number): Promise<Heard> {
  const request = { ...key, jobId };
  const { answer, trailers } = await unary(client, JobServiceService.getJobStatus, request, { deadline });
  const [subscription] = trailers.get('armada-job-set-subscription').map(String);
  const [levelAt] = trailers.get('armada-job-set-synced-at').map(String);
  return {
    told: toldByLegacy(answer.state, answer.error),
    ...(subscription !== undefined && { subscription }),
    ...(levelAt !== undefined && { levelAt: Date.parse(levelAt) }),
  };
}

async function askJobs(client: Client, jobId: string, deadline: number): Promise<Heard> {
  const { answer } = await unary(client, JobsService.getJobStatus, { jobIds: [jobId] }, { deadline });
  const state = answer.jobStates[jobId];
  if (state === ApiState.UNKNOWN) return { told: { kind: 'not-found' } };
  const word = Object.keys(ApiState).find((name) => ApiState[name as keyof typeof ApiState] === state);
  return { told: { kind: 'state', word: word ?? 'left out' } };
}

function toldByLegacy(state: JobServiceResponse_State, error: string): Told {
  if (state === JobServiceResponse_State.JOB_ID_NOT_FOUND) return { kind: 'not-found' };
  if (state === JobServiceResponse_State.CONNECTION_ERR) return { kind: 'trouble', reason: error };
  const word = Object.keys(JobServiceResponse_State).find(
    (name) => JobServiceResponse_State[name as keyof typeof JobServiceResponse_State] === state,
  );
  return { kind: 'state', word: word ?? `${state}` };
}
