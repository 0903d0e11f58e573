import { PROBLEM_MEDIA_TYPE } from '@ajs/runtime';
import { jsonSchemas, schemaName } from '@ajs/wire-mapping';
import type { JsonObject } from '@bufbuild/protobuf';
import { EVENTS_PATH, EVENT_STREAM } from './job-set-events.js';
import { V2_ROUTES, type V2Route } from './v2-routes.js';

const PROBLEM = {
  type: 'object',
  required: ['type', 'title', 'status', 'detail', 'code', 'reason'],
  properties: {
    type: { type: 'string' },
    title: { type: 'string' },
    status: { type: 'integer', description: 'The HTTP status.' },
    detail: { type: 'string', description: 'The cause, then what to do.' },
    code: { type: 'string', description: 'The gRPC code, by its name.' },
    reason: { type: 'string', description: 'What programs may act on.' },
  },
};

const QUERY_PARAMETERS: Readonly<Record<string, JsonObject>> = {
  state: {
    description: 'Jobs in this state alone; may be given several times. With or without `JOB_STATE_`.',
    schema: { type: 'array', items: { type: 'string' } },
  },
  wait: {
    description:
      'Answers when the job has ended, or this time is over, such as `30s` or `10m`. At once if absent.',
    schema: { type: 'string' },
  },
  pageSize: {
    description: 'At most 1000; 100 if absent.',
    schema: { type: 'integer', minimum: 0 },
  },
  pageToken: {
    description: '`nextPageToken` of the page before.',
    schema: { type: 'string' },
  },
};

const EVENTS: JsonObject = {
  operationId: 'v2.WatchJobSet',
  summary: 'The jobs of a job set, then each change, as server-sent events',
  tags: ['jobservice.v2.JobStatusService'],
  parameters: [
    ...parametersOf({ path: EVENTS_PATH, query: [] }),
    {
      name: 'Last-Event-ID',
      in: 'header',
      description: 'The id of the last event: goes on behind it. An EventSource sends it by itself.',
      schema: { type: 'string' },
    },
  ],
  responses: {
    '200': {
      description:
        'Events `job` (a Job), `snapshot-end` and `bookmark` (with `freshness`), as proto3 JSON in `data`; `id` is the resume token.',
      content: { [EVENT_STREAM]: { schema: { type: 'string' } } },
    },
    default: {
      description: 'An error.',
      content: { [PROBLEM_MEDIA_TYPE]: { schema: reference('Problem') } },
    },
  },
};

/** The path of a route as OpenAPI writes it. */
export function openApiPath({ path }: Pick<V2Route, 'path'>): string {
  return path.replace(/(?<!\\):(\w+)/g, '{$1}').replace('\\:', ':');
}

/** The paths of `jobservice.v2`, and the schemas they refer to. */
export function v2OpenApi(): { readonly paths: JsonObject; readonly schemas: JsonObject } {
  const schemas: JsonObject = { Problem: PROBLEM };
  const paths: JsonObject = {};
  for (const route of V2_ROUTES) {
    Object.assign(schemas, jsonSchemas(route.output, 'proto3'));
    if (route.method === 'POST') Object.assign(schemas, jsonSchemas(route.descriptor.input, 'proto3'));
    paths[openApiPath(route)] = { [route.method.toLowerCase()]: operation(route) };
  }
  paths[openApiPath({ path: EVENTS_PATH })] = { get: EVENTS };
  return { paths, schemas };
}

function operation(route: V2Route): JsonObject {
  const { operationId, summary, descriptor, output } = route;
  return {
    operationId: `v2.${operationId}`,
    summary,
    tags: [descriptor.parent.typeName],
    parameters: parametersOf(route),
    ...(route.method === 'POST' && {
      requestBody: {
        content: { 'application/json': { schema: reference(schemaName(descriptor.input, 'proto3')) } },
      },
    }),
    responses: {
      '200': {
        description: 'OK.',
        content: { 'application/json': { schema: reference(schemaName(output, 'proto3')) } },
      },
      default: {
        description: 'An error.',
        content: { [PROBLEM_MEDIA_TYPE]: { schema: reference('Problem') } },
      },
    },
  };
}

function parametersOf({ path, query }: Pick<V2Route, 'path' | 'query'>): JsonObject[] {
  const names = [...path.matchAll(/\/:(\w+)/g)].map(([, name = '']) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }));
  return [...names, ...query.map((name) => ({ name, in: 'query', ...QUERY_PARAMETERS[name] }))];
}

function reference(name: string): JsonObject {
  return { $ref: `#/components/schemas/${name}` };
}
