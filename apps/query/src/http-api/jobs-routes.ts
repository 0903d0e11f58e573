import { descriptorSet } from '@ajs/contracts';
import { JobsService } from '@ajs/contracts/api/job';
import {
  JsonApi,
  toJobStatusResponse,
  type JsonMethod,
  type JsonProfile,
  type MethodDefinition,
} from '@ajs/wire-mapping';
import type { JsonValue } from '@bufbuild/protobuf';
import { status } from '@grpc/grpc-js';
import type { Caller } from '../caller.js';
import type { JobsApi } from '../jobs-api/jobs-api.js';
import { RpcError } from '../rpc-error.js';
import { readJson } from './read-json.js';

/** An error may quote the invalid part of a body. Characters. */
const MAX_ERROR_LENGTH = 500;

export type JobsPath =
  | '/v1/job/status'
  | '/v1/job/statusUsingExternalJobUri'
  | '/v1/job/details'
  | '/v1/job/errors'
  | '/v1/run/details'
  | '/v1/queues/active';

/** Values of a body that are not ids: the other fields, the unknown ones too, and what holds them. */
const MAX_OTHER_VALUES = 100;

export interface JobsCall {
  readonly jobs: JobsApi;
  readonly body: string;
  readonly maxJobIds: number;
  readonly caller: Caller;
  readonly profile: JsonProfile;
}

/** One method of `api.Jobs` over HTTP. */
export interface JobsRoute {
  readonly path: JobsPath;
  readonly method: keyof JobsApi;
  readonly descriptor: JsonMethod<unknown, unknown>['descriptor'];
  /** Rejects with an RpcError where the body is invalid or the call fails. */
  answer(call: JobsCall): Promise<JsonValue>;
}

const api = new JsonApi(descriptorSet);

/** Armada's own paths. */
export const JOBS_ROUTES: readonly JobsRoute[] = [
  route('/v1/job/status', JobsService.getJobStatus, async (jobs, request, caller) =>
    toJobStatusResponse(await jobs.getJobStatus(request, caller)),
  ),
  route(
    '/v1/job/statusUsingExternalJobUri',
    JobsService.getJobStatusUsingExternalJobUri,
    (jobs, request, caller) => jobs.getJobStatusUsingExternalJobUri(request, caller),
  ),
  route('/v1/job/details', JobsService.getJobDetails, (jobs, request, caller) =>
    jobs.getJobDetails(request, caller),
  ),
  route('/v1/job/errors', JobsService.getJobErrors, (jobs, request, caller) =>
    jobs.getJobErrors(request, caller),
  ),
  route('/v1/run/details', JobsService.getJobRunDetails, (jobs, request, caller) =>
    jobs.getJobRunDetails(request, caller),
  ),
  route('/v1/queues/active', JobsService.getActiveQueues, (jobs, request, caller) =>
    jobs.getActiveQueues(request, caller),
  ),
];

function route<Request, Response>(
  path: JobsPath,
  definition: MethodDefinition<Request, Response>,
  call: (jobs: JobsApi, request: Request, caller: Caller) => Promise<Response>,
): JobsRoute {
  const method = api.method(definition);
  return {
    path,
    method: method.descriptor.localName as keyof JobsApi,
    descriptor: method.descriptor,
    answer: async ({ jobs, body, maxJobIds, caller, profile }) => {
      const request = requestOf(method, body, maxJobIds + MAX_OTHER_VALUES);
      return method.writeResponse(await call(jobs, request, caller), profile);
    },
  };
}

/** An empty body is an empty request. */
function requestOf<Request>(method: JsonMethod<Request, unknown>, body: string, maxValues: number): Request {
  try {
    return method.readRequest(body.trim() === '' ? {} : readJson(body, maxValues));
  } catch (error) {
    const what = error instanceof SyntaxError ? 'the request body is not JSON: ' : '';
    const details = `${what}${(error as Error).message}`.slice(0, MAX_ERROR_LENGTH);
    throw new RpcError(status.INVALID_ARGUMENT, details);
  }
}
