import { writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { JobsService } from '@ajs/contracts/api/job';
import { JobState } from '@ajs/contracts/api/submit';
import { TemporaryFolder, armadaJob, jobEvents, ulidAt, unary } from '@ajs/testing';
import { Client, credentials, status, type ServiceError } from '@grpc/grpc-js';
import { patiently } from './patiently.js';
import { Stack, isRedisTooLate, poll, type RunningQuery } from './stack.js';

const KEY = { queue: 'q', jobSetId: 's' };
const JOB_ID = '01m85vnck01jqpr3vd00000001';
const MAX_CONNECTIONS = 40;
const POLLS = 30;

const basic = (name: string): string => `Basic ${Buffer.from(`${name}:of-${name}`).toString('base64')}`;
const [GREEDY, MODEST] = [basic('greedy'), basic('modest')];

const folder = new TemporaryFolder('two-callers');
const config = folder.file('config.yaml');
writeFileSync(
  config,
  `auth:
  basicAuth:
    users:
      greedy: { passwordEnv: PASSWORD_OF_GREEDY, groups: [all] }
      modest: { passwordEnv: PASSWORD_OF_MODEST, groups: [all] }
  permissionGroupMapping:
    watch_all_events: [all]
`,
);

let stack: Stack;
let query: RunningQuery;
/** Of the greedy user and of the one with random tokens: whatever they still wait for ends with it. */
let flooding: Client;
const sockets: Socket[] = [];

beforeEach(async () => {
  stack = await Stack.start({
    AUTH_MODE: 'local',
    CONFIG_FILE: config,
    PASSWORD_OF_GREEDY: 'of-greedy',
    PASSWORD_OF_MODEST: 'of-modest',
    MAX_WAITING_CALLS: '200',
    QUERY_MAX_CONNECTIONS: String(MAX_CONNECTIONS),
    // Polls that wait do so for longer than a test takes.
    FIRST_POLL_WAIT: '120s',
  });
  const job = armadaJob({ jobId: JOB_ID, ...KEY });
  stack.armada.state.move(
    job,
    JobState.QUEUED,
    jobEvents.submitted(job, { namespace: 'ns', annotations: {} }),
  );
  [query] = await Promise.all([stack.query(), stack.ingester()]);
  flooding = new Client(query.grpc, credentials.createInsecure());
  await patiently('the job is known', async () => (await pollOfModest()) === 'SUBMITTED ');
}, 180_000);
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  flooding.close();
  await stack.stop();
});
afterAll(() => folder.remove());

/** What the modest user is answered, repeated where a busy machine keeps Redis from answering the query in time. */
const pollOfModest = (jobSetId = KEY.jobSetId, client = query.client): Promise<string> =>
  patiently('Redis answers in time', async () => {
    try {
      const answer = await poll(client, { ...KEY, jobSetId }, JOB_ID, { authorization: MODEST });
      return !isRedisTooLate(answer) && `${answer.state} ${answer.error}`;
    } catch (error) {
      return (error as ServiceError).message;
    }
  });

const lookUp = (jobIds: string[], client: Client, authorization: string): Promise<status> =>
  unary(client, JobsService.getJobStatus, { jobIds }, { authorization }).then(
    () => status.OK,
    (error: unknown) => (error as ServiceError).code,
  );

/** Random tokens, meanwhile, are rejected, and every poll of the modest user is answered. */
async function modestIsServed(client = query.client): Promise<void> {
  const rejected = Array.from({ length: 500 }, (_, i) => lookUp([JOB_ID], flooding, `Bearer random-${i}`));
  for (let i = 0; i < POLLS; i++) expect(await pollOfModest(KEY.jobSetId, client)).toBe('SUBMITTED ');
  expect(await Promise.all(rejected)).not.toContain(status.OK);
}

describe('a user is served while another one floods, and random tokens come', () => {
  it('with polls that wait', async () => {
    // What is in these job sets cannot be read.
    stack.armada.faults.set({ hang: true });
    let refused = 0;
    for (let i = 0; i < 300; i++) {
      poll(flooding, { ...KEY, jobSetId: `greedy-${i}` }, JOB_ID, { authorization: GREEDY }).then(
        ({ error }) => error.includes('MAX_WAITING_CALLS') && refused++,
        () => undefined,
      );
    }
    await patiently('the greedy user has its share of waiting calls', () => refused > 0);
    const waiting = Array.from({ length: 5 }, (_, i) => pollOfModest(`modest-${i}`));
    await modestIsServed();
    stack.armada.faults.set({});
    expect(new Set(await Promise.all(waiting))).toEqual(new Set(['JOB_ID_NOT_FOUND ']));
  }, 180_000);

  it('with look-ups of unknown ids', async () => {
    stack.armada.faults.set({ jobsDelayMs: 1_000 });
    let refused = 0;
    for (let i = 0; i < 150; i++) {
      const jobIds = Array.from({ length: 100 }, () => ulidAt(Date.now()));
      void lookUp(jobIds, flooding, GREEDY).then((code) => code !== status.OK && refused++);
    }
    await patiently('the greedy user asks for more than its share', () => refused > 0);
    const own = lookUp([JOB_ID.replace(/.$/, '2')], query.client, MODEST);
    await modestIsServed();
    expect(await own).toBe(status.OK);
  }, 180_000);

  it('with connections', async () => {
    let rejected = 0;
    for (const { hostname, port } of [new URL(`http://${query.grpc}`), new URL(query.http)]) {
      for (let i = 0; i < 2 * MAX_CONNECTIONS; i++) {
        const socket = connect({ host: hostname, port: Number(port), localAddress: '127.0.0.2' });
        socket.on('error', () => undefined).on('close', () => rejected++);
        sockets.push(socket.resume());
      }
    }
    await patiently('those above the share are closed', () => rejected >= 2 * MAX_CONNECTIONS);
    const another = new Client(query.grpc, credentials.createInsecure(), {
      'grpc.use_local_subchannel_pool': 1,
    });
    await modestIsServed(another);
    another.close();
    expect((await fetch(`${query.http}/healthz`)).status).toBe(200);
  }, 180_000);
});
