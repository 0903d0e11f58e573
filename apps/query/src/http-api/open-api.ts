import { jsonSchemas, schemaName, type FieldNotes } from '@ajs/wire-mapping';
import type { JsonObject } from '@bufbuild/protobuf';
import { MEDIA_TYPE } from './http-calls.js';
import { DEFAULT_TIMEOUT_MS, LARGEST_BODY_BYTES } from './http-request.js';
import { JOBS_ROUTES, type JobsPath, type JobsRoute } from './jobs-routes.js';

const ABOUT = `What \`api.Jobs\` answers by gRPC, on the paths of Armada's own gateway.

Answers come in two forms. \`application/json\` is what Armada's gateway really writes: Go's JSON, with enums as numbers, times as
\`{"seconds", "nanos"}\`, and zero values left out, so that an empty answer is \`{}\`. With \`Accept: ${MEDIA_TYPE.proto3}\` it is
the JSON of proto3: enums by name, times as RFC 3339. Names are camelCase in both.

Requests may name fields in camelCase, in any letter case, or as the proto does (\`job_ids\`); \`null\` is as good as absent, unknown
fields are skipped, and the \`Content-Type\` is not looked at. A body has at most ${LARGEST_BODY_BYTES} bytes.

Errors hold the text twice and gRPC's code, with the HTTP status that grpc-gateway gives that code. After 429, 503 and 504 it is
worth asking again.`;

const METHODS: Record<JobsPath, { readonly summary: string; readonly description: string }> = {
  '/v1/job/status': {
    summary: 'States of jobs',
    description:
      'Every id asked about is in the answer. UNKNOWN means that Armada has just said it has no such job; while one of the ids cannot be settled, the answer is 503.',
  },
  '/v1/job/statusUsingExternalJobUri': {
    summary: 'States of the jobs submitted with a URI',
    description: 'All jobs of the queue and job set that were submitted with the external job URI.',
  },
  '/v1/job/details': {
    summary: 'Details of jobs',
    description:
      'Ids that nobody knows are left out. What only Armada knows (the spec, the ids of runs, the reason of a cancellation) is fetched from it, and absent while it cannot be had.',
  },
  '/v1/job/errors': {
    summary: 'Why jobs failed',
    description: 'Ids that nobody knows are left out.',
  },
  '/v1/run/details': {
    summary: 'Details of runs, from Armada',
    description: 'Ids that Armada does not know are left out.',
  },
  '/v1/queues/active': {
    summary: 'Queues with jobs, by pool, from Armada',
    description: 'Takes nothing. With AUTH_MODE=local only queues that the caller may watch are told.',
  },
};

function notes(maxJobIds: number): FieldNotes {
  const ids = { maxItems: maxJobIds, description: `At most ${maxJobIds}; more is 400.` };
  return {
    'api.JobStatusRequest.job_ids': ids,
    'api.JobErrorsRequest.job_ids': ids,
    'api.JobDetailsRequest.job_ids': ids,
    'api.JobRunDetailsRequest.run_ids': ids,
    'api.JobStatusUsingExternalJobUriRequest.external_job_uri': {
      description: 'As it was submitted; must not be empty.',
    },
    'api.JobDetailsRequest.expand_job_spec': { description: 'Whether to answer with `jobSpec`.' },
    'api.JobDetailsRequest.expand_job_run': { description: 'Whether to answer with `jobRuns`.' },
    'api.JobDetails.job_spec': {
      description:
        'The job as it was submitted, without what is Kubernetes’ own: pod specs, ingresses, services and resource requirements cannot be shown here. gRPC has them.',
    },
    'api.JobRunDetails.ingress_addresses': { description: 'By port.' },
  };
}

/** What a call may be refused with, by HTTP status. */
const ERRORS: Readonly<Record<string, string>> = {
  '400': 'The request is not right; the text says where.',
  '401': 'The credentials are malformed, nobody’s or at their end, or there are none and some are asked for.',
  '403': 'The caller may not watch the queue, or may not be told of one of the jobs; the text says which.',
  '413': 'The body is too large.',
  '429': 'More is asked than this service may ask of Armada just now.',
  '500': 'Armada failed, or this service made a mistake.',
  '501': 'Only Armada can answer, and it has no such method.',
  '503': 'The answer cannot be had now.',
  '504': 'There was no answer in time.',
};

/** One of these, or none where callers without credentials are somebody. */
const SECURITY_SCHEMES = {
  basic: { type: 'http', scheme: 'basic' },
  bearer: { type: 'http', scheme: 'bearer' },
};

const ERROR = {
  type: 'object',
  required: ['error', 'code', 'message'],
  properties: {
    error: { type: 'string' },
    code: { type: 'integer', description: 'The code of gRPC.' },
    message: { type: 'string', description: 'The same as `error`.' },
  },
};

/** The HTTP API as an OpenAPI 3.1 document. */
export function openApi({ maxJobIds }: { readonly maxJobIds: number }): JsonObject {
  const fieldNotes = notes(maxJobIds);
  const schemas: JsonObject = { Error: ERROR };
  for (const { descriptor } of JOBS_ROUTES) {
    Object.assign(schemas, jsonSchemas(descriptor.input, 'go', fieldNotes));
    Object.assign(schemas, jsonSchemas(descriptor.output, 'go', fieldNotes));
    Object.assign(schemas, jsonSchemas(descriptor.output, 'proto3', fieldNotes));
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Armada Job Service', version: '1', description: ABOUT },
    paths: Object.fromEntries(JOBS_ROUTES.map((route) => [route.path, { post: operation(route) }])),
    components: { schemas, securitySchemes: SECURITY_SCHEMES },
    security: [...Object.keys(SECURITY_SCHEMES).map((name) => ({ [name]: [] })), {}],
  };
}

function operation({ path, descriptor }: JobsRoute): JsonObject {
  const { name, input, output } = descriptor;
  const errors = Object.entries(ERRORS).map(([httpStatus, description]) => [
    httpStatus,
    { description, content: { [MEDIA_TYPE.go]: { schema: reference('Error') } } },
  ]);
  return {
    operationId: name,
    tags: [descriptor.parent.typeName],
    ...METHODS[path],
    parameters: [GRPC_TIMEOUT],
    requestBody: { content: { 'application/json': { schema: reference(schemaName(input, 'go')) } } },
    responses: {
      '200': {
        description: 'The answer.',
        content: {
          [MEDIA_TYPE.go]: { schema: reference(schemaName(output, 'go')) },
          [MEDIA_TYPE.proto3]: { schema: reference(schemaName(output, 'proto3')) },
        },
      },
      ...(Object.fromEntries(errors) as JsonObject),
    },
  };
}

const GRPC_TIMEOUT = {
  name: 'Grpc-Timeout',
  in: 'header',
  description: `How long to wait for the answer: up to 8 digits and one of H, M, S, m, u, n. ${DEFAULT_TIMEOUT_MS / 1000}S if absent.`,
  schema: { type: 'string', pattern: '^[0-9]{1,8}[HMSmun]$' },
  example: '10S',
};

function reference(name: string): JsonObject {
  return { $ref: `#/components/schemas/${name}` };
}
