import { JobsService } from '@ajs/contracts/api/job';
import { JobState } from '@ajs/contracts/api/submit';
import { JobServiceService } from '@ajs/contracts/jobservice/jobservice';
import { RedisServer, TemporaryFolder, jobEvents, armadaJob, unary } from '@ajs/testing';
import { status, type ServiceError } from '@grpc/grpc-js';
import { writeFileSync } from 'node:fs';
import { connect } from 'node:http2';
import { Redis } from 'ioredis';
import { patiently } from './patiently.js';
import { Stack, pollCalmly, type RunningQuery } from './stack.js';

const JOB_SET = { queue: 'q', jobSetId: 's' };
const HIDDEN = { queue: 'hidden', jobSetId: 's' };
const JOB_ID = '01m85vnck01jqpr3vd00000001';
const HIDDEN_ID = '01m85vnck01jqpr3vd00000002';
/** A job that only Armada has. */
const UNSEEN_ID = '01m85vnck01jqpr3vd00000003';

const basic = (text: string): string => `Basic ${Buffer.from(text).toString('base64')}`;
/** The authorization of this service itself. */
const OURS = `basic ${Buffer.from('us:our-secret').toString('base64')}`;
const ALICE = basic('alice:secret-of-alice');
const BOB = 'Bearer token-of-bob';
const CAROL = 'Bearer token-of-carol';

const STATES = Object.keys(JobState) as (keyof typeof JobState)[];

const folder = new TemporaryFolder('callers');
const armadactl = folder.file('armadactl.yaml');
writeFileSync(
  armadactl,
  'currentContext: a\ncontexts:\n  a:\n    forceNoTls: true\n    basicAuth: { username: us, password: our-secret }\n',
);
afterAll(() => folder.remove());

async function start(env: Record<string, string>, redis?: RedisServer): Promise<Stack> {
  const stack = await Stack.start({ ARMADACTL_CONFIG: armadactl, ...env }, redis);
  const { security, state } = stack.armada;
  security.rules = {
    basicUsers: {
      us: { password: 'our-secret', groups: ['services'] },
      alice: { password: 'secret-of-alice' },
    },
    bearerTokens: { 'token-of-bob': { name: 'bob' }, 'token-of-carol': { name: 'carol' } },
    watchAllGroups: ['services'],
  };
  for (const [key, jobId] of [
    [JOB_SET, JOB_ID],
    [HIDDEN, HIDDEN_ID],
  ] as const) {
    const job = armadaJob({ jobId, ...key }, {});
    state.move(job, JobState.QUEUED, jobEvents.submitted(job, { namespace: 'ns', annotations: {} }));
  }
  state.queues.letWatch('q', { users: ['alice'] });
  return stack;
}

/** The legacy state, or the call's error. */
async function stateOrError(
  query: RunningQuery,
  key: typeof JOB_SET,
  jobId: string,
  authorization?: string,
): Promise<string> {
  try {
    return (await pollCalmly(query.client, key, jobId, { authorization })).state;
  } catch (error) {
    const { code, details } = error as ServiceError;
    return `${status[code]}: ${details}`;
  }
}

async function jobStates(query: RunningQuery, jobIds: string[], authorization?: string): Promise<string> {
  try {
    const { answer } = await unary(query.client, JobsService.getJobStatus, { jobIds }, { authorization });
    return jobIds.map((jobId) => STATES.find((name) => JobState[name] === answer.jobStates[jobId])).join();
  } catch (error) {
    const { code, details } = error as ServiceError;
    return `${status[code]}: ${details}`;
  }
}

const overHttp = (query: RunningQuery, jobId: string, authorization?: string): Promise<Response> =>
  fetch(`${query.http}/v1/job/status`, {
    method: 'POST',
    body: JSON.stringify({ jobIds: [jobId] }),
    headers: { 'Content-Type': 'application/json', ...(authorization !== undefined && { authorization }) },
  });

/** A poll whose authorization header may hold any bytes; resolves to the gRPC status. */
function rawPoll({ grpc }: RunningQuery, authorization: string): Promise<number> {
  const message = Buffer.from(JobServiceService.getJobStatus.requestSerialize({ ...JOB_SET, jobId: JOB_ID }));
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  return new Promise((resolve, reject) => {
    const session = connect(`http://${grpc}`);
    session.on('error', reject);
    const stream = session.request({
      ':method': 'POST',
      ':path': JobServiceService.getJobStatus.path,
      'content-type': 'application/grpc',
      te: 'trailers',
      authorization,
    });
    const end = (headers: Record<string, unknown>): void => {
      if (headers['grpc-status'] === undefined) return;
      resolve(Number(headers['grpc-status']));
      session.destroy();
    };
    stream.on('response', end).on('trailers', end).on('error', reject).resume();
    stream.end(Buffer.concat([prefix, message]));
  });
}

describe('with AUTH_MODE delegated', () => {
  let stack: Stack;
  let query: RunningQuery;

  beforeEach(async () => {
    stack = await start({ AUTH_MODE: '', AUTH_VERDICT_TTL: '1h', AUTH_REFUSAL_TTL: '200ms' });
    query = await stack.query();
  }, 120_000);
  afterEach(() => stack.stop());

  it('callers see the jobs of queues that they may watch, and of no others', async () => {
    await stack.ingester();
    expect(await stateOrError(query, JOB_SET, JOB_ID, ALICE)).toBe('SUBMITTED');
    expect(await jobStates(query, [JOB_ID], ALICE)).toBe('QUEUED');
    expect((await overHttp(query, JOB_ID, ALICE)).status).toBe(200);

    const refusal = await stateOrError(query, HIDDEN, HIDDEN_ID, ALICE);
    expect(refusal).toMatch(/^PERMISSION_DENIED: permission denied for queue "hidden"/);
    expect(await stateOrError(query, HIDDEN, UNSEEN_ID, ALICE)).toBe(refusal);
    expect(await jobStates(query, [JOB_ID, HIDDEN_ID], ALICE)).toMatch(
      new RegExp(`^PERMISSION_DENIED: .*"${HIDDEN_ID}"(?!.*queue "?hidden)`),
    );
    for (const who of [BOB, CAROL]) {
      expect(await stateOrError(query, JOB_SET, JOB_ID, who)).toMatch(/^PERMISSION_DENIED/);
      expect((await overHttp(query, JOB_ID, who)).status).toBe(403);
    }
    expect(query.app.logs.filter(({ msg }) => msg.includes('AUTH_MODE'))).toEqual([]);
  }, 180_000);

  it('a caller without a valid credential is UNAUTHENTICATED and causes no call under this service’s identity', async () => {
    const { calls, security } = stack.armada;
    const malformed = [
      basic('no colon'),
      'Basic !',
      'Digest x',
      'basic  double',
      'kubernetesauth e30',
      'Bearer',
    ];
    for (const authorization of [undefined, 'Bearer of-nobody', ...malformed]) {
      expect(await stateOrError(query, JOB_SET, JOB_ID, authorization)).toMatch(/^UNAUTHENTICATED/);
      expect(await jobStates(query, [JOB_ID, UNSEEN_ID], authorization)).toMatch(/^UNAUTHENTICATED/);
      expect((await overHttp(query, UNSEEN_ID, authorization)).status).toBe(401);
    }
    for (const authorization of ['Bearer s\u00e9cret-of-someone', 'ba\u017fic eDp5', 'Bearer a, Bearer b']) {
      expect(await rawPoll(query, authorization)).toBe(status.UNAUTHENTICATED);
    }
    // The query itself looks at its start whether Armada is there.
    const { '/api.Event/Health': _, ...caused } = calls.countsOf(OURS);
    expect(caused).toEqual({});
    for (const authorization of malformed) expect(calls.countsOf(authorization)).toEqual({});
    expect(security.crashes).toBe(0);
    expect(query.app.output + JSON.stringify(query.app.logs)).not.toMatch(/cret-of-someone/);
  }, 180_000);

  it('a revoked permission ends with AUTH_VERDICT_TTL, a new one begins with AUTH_REFUSAL_TTL', async () => {
    await stack.stop();
    stack = await start({ AUTH_MODE: 'delegated', AUTH_VERDICT_TTL: '1s', AUTH_REFUSAL_TTL: '200ms' });
    [query] = await Promise.all([stack.query(), stack.ingester()]);
    expect(await stateOrError(query, JOB_SET, JOB_ID, ALICE)).toBe('SUBMITTED');
    stack.armada.state.queues.letWatch('q', { users: ['bob'] });
    const isRefused = async (): Promise<boolean> =>
      (await stateOrError(query, JOB_SET, JOB_ID, ALICE)).startsWith('PERMISSION_DENIED');
    await patiently('alice is refused', isRefused);
    expect(await stateOrError(query, JOB_SET, JOB_ID, BOB)).toBe('SUBMITTED');
    stack.armada.state.queues.letWatch('q', { users: ['alice'] });
    await patiently('alice is admitted again', async () => !(await isRefused()));
  }, 180_000);

  it('cached verdicts admit callers while Armada is unavailable, and others get an error that fails no task', async () => {
    await stack.ingester();
    expect(await stateOrError(query, JOB_SET, JOB_ID, ALICE)).toBe('SUBMITTED');
    expect(await jobStates(query, [JOB_ID], ALICE)).toBe('QUEUED');
    stack.armada.faults.set({ unavailable: true });
    expect(await stateOrError(query, JOB_SET, JOB_ID, ALICE)).toBe('SUBMITTED');
    expect(await jobStates(query, [JOB_ID], ALICE)).toBe('QUEUED');
    const other = await pollCalmly(query.client, JOB_SET, JOB_ID, { authorization: CAROL });
    expect(other).toMatchObject({
      state: 'CONNECTION_ERR',
      error: expect.stringContaining('could not check your permissions with Armada') as string,
    });
    expect(await jobStates(query, [JOB_ID], CAROL)).toMatch(/^UNAVAILABLE/);
  }, 180_000);

  it('a queue that does not exist is CONNECTION_ERR, not PERMISSION_DENIED', async () => {
    // Until then a poll waits: the queue may be created.
    query = await stack.query({ FIRST_POLL_WAIT: '1s' });
    for (const who of [ALICE, CAROL]) {
      expect(await stateOrError(query, { queue: 'nowhere', jobSetId: 's' }, JOB_ID, who)).toBe(
        'CONNECTION_ERR',
      );
    }
  }, 120_000);

  it('JOBS_API_PERMISSION authenticated opens `api.Jobs` to every authenticated caller', async () => {
    const other = await stack.query({ JOBS_API_PERMISSION: 'authenticated' });
    expect(await jobStates(other, [HIDDEN_ID], CAROL)).toBe('QUEUED');
    expect(await jobStates(other, [HIDDEN_ID])).toMatch(/^UNAUTHENTICATED/);
    expect(await stateOrError(other, HIDDEN, HIDDEN_ID, CAROL)).toMatch(/^PERMISSION_DENIED/);
  }, 180_000);
});

it('replicas share verdicts, and no credential is in Redis', async () => {
  const server = await RedisServer.start();
  const stack = await start({ AUTH_MODE: 'delegated', AUTH_CACHE_SECRET: 'x'.repeat(32) }, server);
  const redis = new Redis(server.url);
  try {
    const [one, other] = [await stack.query(), await stack.query()];
    await stack.ingester();
    expect(await stateOrError(one, JOB_SET, JOB_ID, ALICE)).toBe('SUBMITTED');
    const requests = stack.armada.calls.countsOf(ALICE);
    // Who it is, before its poll is read, and whether it may watch the queue.
    expect(requests).toEqual({ '/api.Event/Health': 1, '/api.Event/GetJobSetEvents': 1 });
    await patiently('the verdict is in Redis', async () => (await redis.keys('ajs:verdict:*')).length > 0);
    expect(await stateOrError(other, JOB_SET, JOB_ID, ALICE)).toBe('SUBMITTED');
    expect(stack.armada.calls.countsOf(ALICE)).toEqual(requests);
    for (const key of await redis.keys('ajs:verdict:*')) {
      expect(key).toMatch(/^ajs:verdict:[0-9a-f]{64}$/);
      expect(await redis.get(key)).toBe('yes');
    }
  } finally {
    redis.disconnect();
    await stack.stop();
  }
}, 180_000);

it('with AUTH_MODE local, callers see the queues that the rules of the configuration let them watch', async () => {
  const config = folder.file('config.yaml');
  writeFileSync(
    config,
    `auth:
  anonymousAuth: true
  basicAuth:
    users:
      alice: { passwordEnv: PASSWORD_OF_ALICE }
      boss: { passwordEnv: PASSWORD_OF_BOSS, groups: [bosses] }
  permissionGroupMapping:
    watch_all_events: [bosses]
  queueRules:
    - { queue: public, groups: [everyone] }
`,
  );
  const stack = await start({
    AUTH_MODE: 'local',
    CONFIG_FILE: config,
    PASSWORD_OF_ALICE: 'a',
    PASSWORD_OF_BOSS: 'b',
  });
  try {
    const query = await stack.query();
    await stack.ingester();
    stack.armada.state.queues.add('public');
    expect(await stateOrError(query, JOB_SET, JOB_ID, basic('alice:a'))).toBe('SUBMITTED');
    expect(await stateOrError(query, HIDDEN, HIDDEN_ID, basic('alice:a'))).toMatch(/^PERMISSION_DENIED/);
    expect(await stateOrError(query, HIDDEN, HIDDEN_ID, basic('boss:b'))).toBe('SUBMITTED');
    expect(await stateOrError(query, JOB_SET, JOB_ID, basic('alice:wrong'))).toMatch(/^UNAUTHENTICATED/);
    expect(await stateOrError(query, JOB_SET, JOB_ID)).toMatch(/^PERMISSION_DENIED/);
    expect(await stateOrError(query, { queue: 'public', jobSetId: 's' }, JOB_ID)).toBe('JOB_ID_NOT_FOUND');
    expect(stack.armada.calls.countsOf(basic('alice:a'))).toEqual({});
  } finally {
    await stack.stop();
  }
}, 180_000);
