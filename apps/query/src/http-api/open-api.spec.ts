import { JobRunState } from '@ajs/contracts/api/job';
import { Job, JobState } from '@ajs/contracts/api/submit';
import type { JsonProfile } from '@ajs/wire-mapping';
import { Validator } from '@seriousme/openapi-schema-validator';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { MEDIA_TYPE } from './jobs-exchange.js';
import { JOBS_ROUTES, type JobsPath } from './jobs-routes.js';
import { JobsInMemory, ServedJobs } from './testing/served-jobs.js';

/** The part of the document that is used here. */
interface Document extends Record<string, unknown> {
  readonly paths: Record<string, { post: Operation }>;
}

interface Operation {
  readonly requestBody: { content: Record<string, { schema: { $ref: string } }> };
  readonly responses: Record<string, { content: Record<string, { schema: { $ref: string } }> }>;
}

const AT = { seconds: '1785500000', nanos: 5_000_000 };

/** A job with every field. */
const jobs = new JobsInMemory();
jobs.add({
  jobId: 'job',
  queue: 'q',
  jobset: 's',
  namespace: 'n',
  state: JobState.CANCELLED,
  submittedTs: AT,
  cancelTs: AT,
  cancelReason: 'why',
  lastTransitionTs: AT,
  latestRunId: 'run',
  cancelUser: 'someone',
  externalJobUri: 'uri',
  error: 'what',
  jobSpec: {
    ...Job.decode(Buffer.alloc(0)),
    id: 'job',
    jobSetId: 's',
    queue: 'q',
    priority: 0.5,
    created: AT,
    namespace: 'n',
    owner: 'o',
    labels: { a: 'b' },
    annotations: { a: 'b' },
    requiredNodeLabels: { a: 'b' },
    clientId: 'c',
    queueOwnershipUserGroups: ['g'],
    scheduler: 'x',
    podSpecs: [Buffer.from('kubernetes')],
  },
  jobRuns: [
    {
      runId: 'run',
      jobId: 'job',
      state: JobRunState.RUN_STATE_CANCELLED,
      cluster: 'c',
      node: 'n',
      leasedTs: AT,
      pendingTs: AT,
      startedTs: AT,
      finishedTs: AT,
      ingressAddresses: { 8080: 'http://here' },
    },
  ],
});

const REQUESTS: Record<JobsPath, object> = {
  '/v1/job/status': { jobIds: ['job', 'nobody'] },
  '/v1/job/statusUsingExternalJobUri': { queue: 'q', jobset: 's', externalJobUri: 'uri' },
  '/v1/job/details': { jobIds: ['job'], expandJobSpec: true, expandJobRun: true },
  '/v1/job/errors': { jobIds: ['job'] },
  '/v1/run/details': { runIds: ['run'] },
  '/v1/queues/active': {},
};

const CALLS = JOBS_ROUTES.flatMap(({ path }): [JobsPath, JsonProfile][] => [
  [path, 'go'],
  [path, 'proto3'],
]);

let served: ServedJobs;
let document: Document;
let ajv: Ajv2020;

beforeAll(async () => {
  served = await ServedJobs.start(jobs);
  const response = await served.fetch('/openapi.json');
  document = (await response.json()) as Document;
  ajv = new Ajv2020({ strict: false, allErrors: true });
  addFormats(ajv);
  ajv.addSchema(closed(document), 'openapi.json');
});

afterAll(() => served.close());

/** The same schema with no properties but those it lists. */
function closed<T>(schemas: T): T {
  return JSON.parse(JSON.stringify(schemas), (_key, value: unknown) =>
    typeof value === 'object' && value !== null && 'properties' in value && 'type' in value
      ? { ...value, additionalProperties: false }
      : value,
  ) as T;
}

function problemsOf(value: unknown, { $ref }: { $ref: string }): unknown {
  const validate = ajv.compile({ $ref: `openapi.json${$ref}` });
  validate(value);
  return validate.errors;
}

describe('/openapi.json', () => {
  it('is OpenAPI 3.1', async () => {
    const validator = new Validator();
    // The validator changes its argument.
    expect(await validator.validate(structuredClone(document))).toEqual({ valid: true });
    expect(validator.version).toBe('3.1');
    expect(() => validator.resolveRefs()).not.toThrow();
  });

  it('describes every path', () => {
    expect(Object.keys(document.paths)).toEqual([
      ...JOBS_ROUTES.map(({ path }) => path),
      '/v2/jobs:batchGet',
      '/v2/jobs:wait',
      '/v2/queues/{queue}/job-sets/{jobSet}/jobs/{jobId}',
      '/v2/queues/{queue}/job-sets/{jobSet}/jobs',
      '/v2/queues/{queue}/job-sets/{jobSet}',
      '/v2/queues/{queue}/job-sets',
      '/v2/job-sets',
      '/v2/queues/{queue}/job-sets/{jobSet}/events',
    ]);
  });

  it.each(CALLS)('describes the requests and responses of %s (%s)', async (path, profile) => {
    const { requestBody, responses } = operationOf(path);
    expect(problemsOf(REQUESTS[path], schemaIn(requestBody.content, 'application/json'))).toBeNull();
    const response = await served.post(path, REQUESTS[path], { Accept: MEDIA_TYPE[profile] });
    const answer: unknown = await response.json();
    expect(answer).not.toEqual({});
    const type = response.headers.get('content-type') ?? '';
    expect(problemsOf(answer, schemaIn(responses['200']?.content ?? {}, type))).toBeNull();
  });

  it('describes two forms of responses, neither of which is valid as the other', async () => {
    const { responses } = operationOf('/v1/job/details');
    const response = await served.post('/v1/job/details', REQUESTS['/v1/job/details']);
    const schema = schemaIn(responses['200']?.content ?? {}, MEDIA_TYPE.proto3);
    expect(problemsOf(await response.json(), schema)).not.toBeNull();
  });

  it.each(JOBS_ROUTES.map(({ path }) => path))('describes the errors of %s', async (path) => {
    const response = await served.post(path, 'no JSON');
    expect(response.status).toBe(400);
    const content = operationOf(path).responses['400']?.content ?? {};
    expect(problemsOf(await response.json(), schemaIn(content, MEDIA_TYPE.go))).toBeNull();
  });

  it('describes the credentials of callers and how they are rejected', () => {
    for (const { path } of JOBS_ROUTES) {
      expect(Object.keys(operationOf(path).responses)).toEqual(expect.arrayContaining(['401', '403']));
    }
    expect(document).toMatchObject({
      security: [{ basic: [] }, { bearer: [] }, {}],
      components: {
        securitySchemes: {
          basic: { type: 'http', scheme: 'basic' },
          bearer: { type: 'http', scheme: 'bearer' },
        },
      },
    });
  });

  it('states how many ids a call may contain', () => {
    const jobIds = Array.from({ length: 1001 }, () => 'job');
    const { content } = operationOf('/v1/job/status').requestBody;
    expect(problemsOf({ jobIds }, schemaIn(content, 'application/json'))).toMatchObject([
      { keyword: 'maxItems', params: { limit: 1000 } },
    ]);
  });
});

it('/ names what is there', async () => {
  const index = (await (await served.fetch('/')).json()) as Record<string, string>;
  expect(index).toMatchObject({ documentation: '/docs', openApi: '/openapi.json' });
  for (const path of [index['documentation'], index['openApi']]) {
    expect((await served.fetch(String(path))).status).toBe(200);
  }
});

describe('/docs', () => {
  it('is a page that loads nothing from another origin', async () => {
    const response = await served.fetch('/docs');
    expect(response.headers.get('content-security-policy')).toContain(
      "default-src 'none'; script-src 'self'",
    );
    const page = await response.text();
    const parts = [...page.matchAll(/(?:src|href)="([^"]*)"/g)].map(([, part]) => String(part));
    expect(parts).toHaveLength(4);
    for (const part of parts) {
      const { status, headers } = await served.fetch(part);
      expect([part, status]).toEqual([part, 200]);
      expect(headers.get('content-type')).toMatch(/^(text\/(css|javascript)|image\/png)/);
    }
  });
});

describe('a document that is always the same', () => {
  it.each(['/openapi.json', '/docs', '/docs/swagger-ui-bundle.js'])(
    'such as %s is sent once to a caller that keeps it',
    async (path) => {
      const first = await served.fetch(path);
      const size = (await first.arrayBuffer()).byteLength;
      expect(first.headers.get('content-length')).toBe(String(size));
      const again = async (etag: string): Promise<unknown> => {
        // A fetch that names an ETag would add `no-cache`.
        const headers = { 'If-None-Match': etag, 'Cache-Control': 'max-age=0' };
        const response = await served.fetch(path, { headers });
        const length = response.headers.get('content-length');
        return [response.status, length, (await response.arrayBuffer()).byteLength];
      };
      expect(await again(first.headers.get('etag') ?? '')).toEqual([304, null, 0]);
      expect(await again('"another"')).toEqual([200, String(size), size]);
    },
  );
});

function operationOf(path: JobsPath): Operation {
  const operation = document.paths[path]?.post;
  if (operation === undefined) throw new Error(`${path} is not described`);
  return operation;
}

function schemaIn(
  content: Record<string, { schema: { $ref: string } }>,
  mediaType: string,
): { $ref: string } {
  const schema = content[mediaType]?.schema;
  if (schema === undefined) throw new Error(`${mediaType} is not described`);
  return schema;
}
