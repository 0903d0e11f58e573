import { createHash } from 'node:crypto';
import { descriptorSet } from '@ajs/contracts';
import {
  JobState as V2JobState,
  JobStatusServiceService,
  WaitCondition,
} from '@ajs/contracts/jobservice/v2/job_status_service';
import type { Duration } from '@ajs/contracts/google/protobuf/duration';
import { JsonApi, type JsonMethod } from '@ajs/wire-mapping';
import type { DescMessage, JsonValue } from '@bufbuild/protobuf';
import type { Caller } from '../caller.js';
import { invalidRequest } from '../v2/error-info.js';
import { MAX_REFS, MAX_REFS_REQUEST_BYTES } from '../v2/requests.js';
import type { V2Api } from '../v2/v2-api.js';
import { DEFAULT_TIMEOUT_MS } from './http-request.js';
import { readJson } from './read-json.js';

/** A name may be escaped in JSON: twice its bytes. */
export const MAX_V2_BODY_BYTES = 2 * MAX_REFS_REQUEST_BYTES;
/** Of a body: each ref has its three fields. */
const MAX_VALUES = 4 * MAX_REFS + 100;

/** What a request asks for. */
export interface V2Request {
  /** The names in the path, decoded. */
  readonly names: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  readonly body: string;
}

export interface V2Response {
  readonly json: JsonValue;
  /** Stands for what is in the response, but for its freshness. Left out where a response is not compared. */
  readonly etag?: string;
}

/** A method over HTTP. */
export interface V2Route {
  readonly method: 'GET' | 'POST';
  /** As Express matches it. */
  readonly path: string;
  readonly rpc: keyof V2Api;
  readonly descriptor: JsonMethod<unknown, unknown>['descriptor'];
  /** Of this route alone: a method may have several. */
  readonly operationId: string;
  readonly summary: string;
  /** The message in the response. */
  readonly output: DescMessage;
  /** The names of the parameters that the query may have. */
  readonly query: readonly string[];
  answer(api: V2Api, request: V2Request, caller: Caller): Promise<V2Response>;
}

const api = new JsonApi(descriptorSet);
const batchGetJobs = api.method(JobStatusServiceService.batchGetJobs);
const waitForJobs = api.method(JobStatusServiceService.waitForJobs);
const listJobs = api.method(JobStatusServiceService.listJobs);
const getJobSet = api.method(JobStatusServiceService.getJobSet);
const listJobSets = api.method(JobStatusServiceService.listJobSets);

const PAGE = ['pageSize', 'pageToken'] as const;

/** Shorter than that of gRPC, as any response that may come late: see {@link DEFAULT_TIMEOUT_MS}. */
const DEFAULT_MAX_WAIT: Duration = { seconds: `${DEFAULT_TIMEOUT_MS / 1_000}`, nanos: 0 };

const JOB_RESULT = messageOf(batchGetJobs.descriptor.output, 'results');

/** Of one queue, and of all. */
const jobSetsRoute = {
  method: 'GET',
  rpc: 'listJobSets',
  descriptor: listJobSets.descriptor,
  output: listJobSets.descriptor.output,
  query: PAGE,
  answer: async (v2, { names, query }, caller) => {
    const request = { queue: names['queue'] ?? '', ...pageOf(query) };
    return { json: listJobSets.writeResponse(await v2.listJobSets(request, caller), 'proto3') };
  },
} satisfies Omit<V2Route, 'path' | 'operationId' | 'summary'>;

export const V2_ROUTES: readonly V2Route[] = [
  {
    method: 'POST',
    path: '/v2/jobs\\:batchGet',
    operationId: 'BatchGetJobs',
    summary: 'Jobs of any job sets',
    output: batchGetJobs.descriptor.output,
    rpc: 'batchGetJobs',
    descriptor: batchGetJobs.descriptor,
    query: [],
    answer: async (v2, { body }, caller) => ({
      json: batchGetJobs.writeResponse(await v2.batchGetJobs(bodyOf(batchGetJobs, body), caller), 'proto3'),
    }),
  },
  {
    method: 'POST',
    path: '/v2/jobs\\:wait',
    operationId: 'WaitForJobs',
    summary: 'Wait until jobs have ended, or have come to a state',
    output: waitForJobs.descriptor.output,
    rpc: 'waitForJobs',
    descriptor: waitForJobs.descriptor,
    query: [],
    answer: async (v2, { body }, caller) => {
      const { maxWait = DEFAULT_MAX_WAIT, ...request } = bodyOf(waitForJobs, body);
      return {
        json: waitForJobs.writeResponse(await v2.waitForJobs({ ...request, maxWait }, caller), 'proto3'),
      };
    },
  },
  {
    method: 'GET',
    path: '/v2/queues/:queue/job-sets/:jobSet/jobs/:jobId',
    operationId: 'GetJob',
    summary: 'One job, now or when it has ended',
    output: JOB_RESULT,
    rpc: 'batchGetJobs',
    descriptor: batchGetJobs.descriptor,
    query: ['wait'],
    answer: async (v2, { names, query }, caller) => {
      const request = {
        refs: [{ ...jobSetOf(names), jobId: names['jobId'] ?? '' }],
        condition: WaitCondition.WAIT_CONDITION_ALL,
        states: [],
        count: 0,
        maxWait: waitOf(query),
      };
      const { results } = waitForJobs.writeResponse(
        await v2.waitForJobs(request, caller),
        'proto3',
      ) as unknown as { results: [{ freshness?: JsonValue }] };
      const [result] = results;
      const { freshness: _, ...compared } = result;
      return { json: result as JsonValue, etag: etagOf(compared) };
    },
  },
  {
    method: 'GET',
    path: '/v2/queues/:queue/job-sets/:jobSet/jobs',
    operationId: 'ListJobs',
    summary: 'The jobs of a job set',
    output: listJobs.descriptor.output,
    rpc: 'listJobs',
    descriptor: listJobs.descriptor,
    query: ['state', ...PAGE],
    answer: async (v2, { names, query }, caller) => {
      const request = { ...jobSetOf(names), ...pageOf(query), states: query.getAll('state').map(stateOf) };
      return { json: listJobs.writeResponse(await v2.listJobs(request, caller), 'proto3') };
    },
  },
  {
    method: 'GET',
    path: '/v2/queues/:queue/job-sets/:jobSet',
    operationId: 'GetJobSet',
    summary: 'A job set as a whole',
    output: getJobSet.descriptor.output,
    rpc: 'getJobSet',
    descriptor: getJobSet.descriptor,
    query: [],
    answer: async (v2, { names }, caller) => ({
      json: getJobSet.writeResponse(await v2.getJobSet(jobSetOf(names), caller), 'proto3'),
    }),
  },
  {
    ...jobSetsRoute,
    path: '/v2/queues/:queue/job-sets',
    operationId: 'ListJobSetsOfQueue',
    summary: 'The job sets of a queue',
  },
  {
    ...jobSetsRoute,
    path: '/v2/job-sets',
    operationId: 'ListJobSets',
    summary: 'The job sets of all queues that the caller may watch',
  },
];

/** The method that a request is a call of. One that waits for a job is a wait. */
export function rpcOf({ rpc }: V2Route, search: string): keyof V2Api {
  return new URLSearchParams(search).has('wait') ? 'waitForJobs' : rpc;
}

/** The parameters of the query. Throws INVALID_ARGUMENT for one that the route has not. */
export function queryOf({ query }: V2Route, search: string): URLSearchParams {
  const parameters = new URLSearchParams(search);
  for (const name of parameters.keys()) {
    if (query.includes(name)) continue;
    const known = query.length === 0 ? 'it takes none' : `it takes ${query.join(', ')}`;
    throw invalidRequest(`unknown query parameter ${JSON.stringify(name)}; ${known}`);
  }
  return parameters;
}

/** The message that a field holds. */
function messageOf(holder: DescMessage, field: string): DescMessage {
  const message = holder.field[field]?.message;
  if (message === undefined) throw new Error(`no message in ${holder.typeName}.${field}`);
  return message;
}

function bodyOf<Request>(method: JsonMethod<Request, unknown>, body: string): Request {
  try {
    return method.readRequest(readJson(body, MAX_VALUES));
  } catch (error) {
    const what = error instanceof SyntaxError ? 'the request body is not JSON: ' : '';
    throw invalidRequest(`${what}${(error as Error).message}`.slice(0, 500));
  }
}

function jobSetOf(names: V2Request['names']): { readonly queue: string; readonly jobSet: string } {
  return { queue: names['queue'] ?? '', jobSet: names['jobSet'] ?? '' };
}

const SECONDS_IN: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600 };

/** How long to wait for the end of a job: not at all, unless the query says so. Throws INVALID_ARGUMENT. */
function waitOf(query: URLSearchParams): Duration {
  const text = query.get('wait') ?? '0s';
  const [, number, fraction = '', unit = ''] = /^(\d{1,9})(?:\.(\d{1,9}))?([smh])$/.exec(text) ?? [];
  if (number === undefined) throw invalidRequest('wait is not a time such as 30s or 10m');
  const seconds = Number(`${number}.${fraction}`) * (SECONDS_IN[unit] ?? NaN);
  return { seconds: `${Math.floor(seconds)}`, nanos: Math.floor((seconds % 1) * 1e9) };
}

function pageOf(query: URLSearchParams): { readonly pageSize: number; readonly pageToken: string } {
  const pageSize = query.get('pageSize') ?? '0';
  if (!/^\d{1,9}$/.test(pageSize)) throw invalidRequest('pageSize is not a number');
  return { pageSize: Number(pageSize), pageToken: query.get('pageToken') ?? '' };
}

/** By its name, with or without what all names begin with. */
function stateOf(text: string): V2JobState {
  const name = text.startsWith('JOB_STATE_') ? text : `JOB_STATE_${text}`;
  const state = (V2JobState as Readonly<Record<string, V2JobState>>)[name];
  if (state === undefined) throw invalidRequest(`state ${JSON.stringify(text)} is not a job state`);
  return state;
}

/** Weak, since the freshness of equal results differs. */
function etagOf(compared: object): string {
  return `W/"${createHash('sha256').update(JSON.stringify(compared)).digest('base64url').slice(0, 22)}"`;
}
