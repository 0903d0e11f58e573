import { jsonSchemas, schemaName, type FieldNotes } from '@ajs/wire-mapping';
import type { JsonObject } from '@bufbuild/protobuf';
import { MEDIA_TYPE } from './jobs-exchange.js';
import { DEFAULT_TIMEOUT_MS, maxBodyBytes } from './http-request.js';
import { v2OpenApi } from './open-api-v2.js';
import { JOBS_ROUTES, type JobsPath, type JobsRoute } from './jobs-routes.js';

const about = (
  maxJobIds: number,
): string => `The methods of \`api.Jobs\` over HTTP, on the paths of Armada's own gateway.

Responses come in two forms. \`application/json\` is what Armada's gateway writes: Go's JSON, with enums as numbers, times as
\`{"seconds", "nanos"}\`, and zero values omitted, so that an empty response is \`{}\`. With \`Accept: ${MEDIA_TYPE.proto3}\` it is
proto3's JSON: enums by name, times as RFC 3339. Field names are camelCase in both.

Requests may name fields in camelCase, in any letter case, or as the proto does (\`job_ids\`); \`null\` equals absent, unknown
fields and the \`Content-Type\` are ignored. A body has at most ${maxBodyBytes(maxJobIds)} bytes, and is
not compressed.

The paths under \`/v2\` are \`jobservice.v2\`: proto3's JSON alone, and errors as problem details (RFC 9457).

Else errors hold the text twice and the gRPC code, with the HTTP status that grpc-gateway maps that code to. Retry after 429, 503 and 504.`;

const METHODS: Record<JobsPath, { readonly summary: string; readonly description: string }> = {
  '/v1/job/status': {
    summary: 'States of jobs',
    description:
      'The response contains every requested id. UNKNOWN means that Armada has just confirmed that it has no such job. While one of the ids cannot be resolved, the response is 503.',
  },
  '/v1/job/statusUsingExternalJobUri': {
    summary: 'States of the jobs submitted with a URI',
    description: 'All jobs of the queue and job set that were submitted with the external job URI.',
  },
  '/v1/job/details': {
    summary: 'Details of jobs',
    description:
      'Unknown ids are omitted. What only Armada stores (the spec, run ids, the reason of a cancellation) is fetched from it, and omitted while it cannot be fetched.',
  },
  '/v1/job/errors': {
    summary: 'Why jobs failed',
    description: 'Unknown ids are omitted.',
  },
  '/v1/run/details': {
    summary: 'Details of runs, from Armada',
    description: 'Unknown ids are omitted.',
  },
  '/v1/queues/active': {
    summary: 'Queues with jobs, by pool, from Armada',
    description:
      'The request is empty. With AUTH_MODE=local, only queues that the caller may watch are listed.',
  },
};

function notes(maxJobIds: number): FieldNotes {
  const ids = { maxItems: maxJobIds, description: `At most ${maxJobIds}; more are rejected with 400.` };
  return {
    'api.JobStatusRequest.job_ids': ids,
    'api.JobErrorsRequest.job_ids': ids,
    'api.JobDetailsRequest.job_ids': ids,
    'api.JobRunDetailsRequest.run_ids': ids,
    'api.JobStatusUsingExternalJobUriRequest.external_job_uri': {
      description: 'The URI as it was submitted; must not be empty.',
    },
    'api.JobDetailsRequest.expand_job_spec': { description: 'Whether to include `jobSpec`.' },
    'api.JobDetailsRequest.expand_job_run': { description: 'Whether to include `jobRuns`.' },
    'api.JobDetails.job_spec': {
      description:
        'The job as it was submitted, without the messages of Kubernetes (pod specs, ingresses, services, resource requirements), which are available over gRPC only.',
    },
    'api.JobRunDetails.ingress_addresses': { description: 'By port.' },
  };
}

/** The meaning of each HTTP status of an error. */
const ERRORS: Readonly<Record<string, string>> = {
  '400': 'The request is invalid; the text says where.',
  '401': 'The credentials are malformed, invalid or expired, or required and missing.',
  '403': 'Permission denied for the queue or for one of the jobs; the text says which.',
  '413': 'The request body is too large.',
  '415': 'The request body is compressed.',
  '421': 'The name in the Host header is not among QUERY_ALLOWED_HOSTS.',
  '429': 'Overloaded, or over the rate limit of calls to Armada.',
  '500': 'An internal error of Armada or of this service.',
  '501': 'The method needs Armada, whose version does not have it.',
  '503': 'Temporarily unavailable.',
  '504': 'Deadline exceeded.',
};

/** Or none, where anonymous callers are allowed. */
const SECURITY_SCHEMES = {
  basic: { type: 'http', scheme: 'basic' },
  bearer: { type: 'http', scheme: 'bearer' },
};

const ERROR = {
  type: 'object',
  required: ['error', 'code', 'message'],
  properties: {
    error: { type: 'string' },
    code: { type: 'integer', description: 'The gRPC code.' },
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
  const v2 = v2OpenApi();
  return {
    openapi: '3.1.0',
    info: { title: 'Armada Job Service', version: '1', description: about(maxJobIds) },
    paths: {
      ...Object.fromEntries(JOBS_ROUTES.map((route) => [route.path, { post: operation(route) }])),
      ...v2.paths,
    },
    components: { schemas: { ...schemas, ...v2.schemas }, securitySchemes: SECURITY_SCHEMES },
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
        description: 'OK.',
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
  description: `How long to wait for the response: up to 8 digits and one of H, M, S, m, u, n. ${DEFAULT_TIMEOUT_MS / 1000}S if absent.`,
  schema: { type: 'string', pattern: '^[0-9]{1,8}[HMSmun]$' },
  example: '10S',
};

function reference(name: string): JsonObject {
  return { $ref: `#/components/schemas/${name}` };
}
