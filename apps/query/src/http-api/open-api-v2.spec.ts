import { ArmadaTime } from '@ajs/job-state';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { V2Harness } from '../v2/testing/v2-harness.js';
import { JobsInMemory, ServedJobs } from './testing/served-jobs.js';

type Content = Record<string, { schema: { $ref: string } }>;
interface Operation {
  readonly requestBody?: { readonly content: Content };
  readonly responses: Record<string, { readonly content: Content }>;
}
interface Document {
  readonly paths: Record<string, Record<string, Operation>>;
}

const REFS = { refs: [{ queue: 'q', jobSet: 's', jobId: 'j' }, { jobId: 'none' }], maxAge: '3600.5s' };

const CALLS: [path: string, method: 'get' | 'post', url: string][] = [
  ['/v2/jobs:batchGet', 'post', '/v2/jobs:batchGet'],
  ['/v2/queues/{queue}/job-sets/{jobSet}/jobs/{jobId}', 'get', '/v2/queues/q/job-sets/s/jobs/j'],
  ['/v2/queues/{queue}/job-sets/{jobSet}/jobs', 'get', '/v2/queues/q/job-sets/s/jobs?pageSize=1'],
  ['/v2/queues/{queue}/job-sets/{jobSet}', 'get', '/v2/queues/q/job-sets/s'],
  ['/v2/queues/{queue}/job-sets', 'get', '/v2/queues/q/job-sets'],
  ['/v2/job-sets', 'get', '/v2/job-sets'],
];

describe('/openapi.json of jobservice.v2', () => {
  let served: ServedJobs;
  let document: Document;
  let ajv: Ajv2020;
  beforeAll(async () => {
    const harness = new V2Harness();
    const lastEvent = { ms: 1, sequence: 0, index: 0, last: true };
    const run = { cluster: 'c', node: 'n', leasedAt: ArmadaTime(1_000), endedAt: ArmadaTime(2_000) };
    const failure = { reason: 'r', category: 'c', exitCodes: { main: 1 } };
    const record = { runNumber: 1, changedAt: ArmadaTime(2_000), lastEvent, run };
    await harness.write({
      j: { ...record, state: 'FAILED', failure },
      k: { ...record, state: 'CANCELLED', cancellation: { reason: 'r', requestor: 'u' } },
    });
    harness.interest.push({ queue: 'q', jobSetId: 's' });
    served = await ServedJobs.start(new JobsInMemory(), { v2: harness.api });
    document = (await (await served.fetch('/openapi.json')).json()) as Document;
    ajv = new Ajv2020({ strict: false, allErrors: true });
    addFormats(ajv);
    ajv.addSchema(closed(document), 'openapi.json');
  });
  afterAll(() => served.close());

  const operationOf = (path: string, method: string): Operation => {
    const operation = document.paths[path]?.[method];
    if (operation === undefined) throw new Error(`${method} ${path} is not described`);
    return operation;
  };
  const call = (method: 'get' | 'post', url: string, body: unknown): Promise<Response> =>
    method === 'get' ? served.fetch(url) : served.post(url, body);
  const problemsOf = (value: unknown, content: Content | undefined, mediaType: string): unknown => {
    const schema = content?.[mediaType]?.schema;
    if (schema === undefined) throw new Error(`${mediaType} is not described`);
    const validate = ajv.compile({ $ref: `openapi.json${schema.$ref}` });
    validate(value);
    return validate.errors;
  };

  it.each(CALLS)('describes the requests, responses and errors of %s', async (path, method, url) => {
    const { requestBody, responses } = operationOf(path, method);
    if (requestBody !== undefined) {
      expect(problemsOf(REFS, requestBody.content, 'application/json')).toBeNull();
    }
    const response = await call(method, url, REFS);
    expect(response.status).toBe(200);
    const answer: unknown = await response.json();
    expect(answer).not.toEqual({});
    expect(problemsOf(answer, responses['200']?.content, 'application/json')).toBeNull();

    const failed = await call(method, `${url}${url.includes('?') ? '&' : '?'}unknown=1`, REFS);
    expect(failed.status).toBe(400);
    const type = failed.headers.get('content-type') ?? '';
    expect(problemsOf(await failed.json(), responses['default']?.content, type)).toBeNull();
  });
});

/** The same schema with no properties but those it lists. */
function closed<T>(schemas: T): T {
  return JSON.parse(JSON.stringify(schemas), (_key, value: unknown) =>
    typeof value === 'object' && value !== null && 'properties' in value && 'type' in value
      ? { ...value, additionalProperties: false }
      : value,
  ) as T;
}
