import { writeFileSync } from 'node:fs';
import { JobsService } from '@ajs/contracts/api/job';
import { JobState } from '@ajs/contracts/api/submit';
import { TemporaryFolder, jobEvents, armadaJob, unary } from '@ajs/testing';
import { Attacker } from './fuzz/attacker.js';
import { attacks } from './fuzz/attacks.js';
import { Stack, pollCalmly, type RunningQuery } from './stack.js';

/** The same seed sends the same bytes: no run fails by chance. Other seeds and more calls find more. */
const SEED = Number(process.env['FUZZ_SEED'] ?? 1);
const CALLS = Number(process.env['FUZZ_CALLS'] ?? 1_500);
const ATTACKERS = 8;
/** How much the process may grow: its heap is not full when it starts, and its caches are bounded. */
const MOST_GROWTH_BYTES = 200 * 1024 * 1024;

const KEY = { queue: 'q', jobSetId: 's' };
const JOB_ID = '01m85vnck01jqpr3vd00000001';
const ALICE = `Basic ${Buffer.from('alice:secret-of-alice').toString('base64')}`;

const folder = new TemporaryFolder('fuzz');
const armadactl = folder.file('armadactl.yaml');
writeFileSync(armadactl, 'forceNoTls: true\nbasicAuth: { username: us, password: our-secret }\n');

let stack: Stack;
let query: RunningQuery;

beforeAll(async () => {
  stack = await Stack.start({
    AUTH_MODE: 'delegated',
    PASS_THROUGH: 'on',
    LOG_LEVEL: 'trace',
    ARMADACTL_CONFIG: armadactl,
  });
  stack.armada.security.rules = {
    basicUsers: {
      us: { password: 'our-secret', groups: ['services'] },
      alice: { password: 'secret-of-alice' },
    },
    watchAllGroups: ['services'],
    anonymous: true,
  };
  const job = armadaJob({ jobId: JOB_ID, ...KEY });
  stack.armada.state.move(
    job,
    JobState.QUEUED,
    jobEvents.submitted(job, { namespace: 'ns', annotations: {} }),
  );
  stack.armada.state.queues.letWatch('q', { users: ['alice'] });
  await stack.ingester();
  query = await stack.query();
}, 180_000);

afterAll(async () => {
  await stack.stop();
  folder.remove();
});

it(`another caller gets right answers whatever is sent to every method (FUZZ_SEED=${SEED})`, async () => {
  await pollCalmly(query.client, KEY, JOB_ID, { authorization: ALICE });
  const before = await residentBytes();
  const target = { grpc: query.grpc, http: query.http.replace('http://', '') };
  const waiting = attacks(SEED, CALLS);
  const over = new AbortController();
  const attacking = Promise.all(
    Array.from({ length: ATTACKERS }, async () => {
      const attacker = new Attacker(target);
      for (let attack = waiting.pop(); attack !== undefined; attack = waiting.pop())
        await attacker.run(attack);
      attacker.close();
    }),
  ).finally(() => over.abort());

  const answers = new Set<string>();
  while (!over.signal.aborted) answers.add(await neighbour());
  await attacking;

  expect([...answers]).toEqual(['SUBMITTED QUEUED 200']);
  expect(query.app.exit).toBeUndefined();
  expect(await residentBytes()).toBeLessThan(before + MOST_GROWTH_BYTES);
  // No credential reached Armada that would crash its servers.
  expect(stack.armada.security.crashes).toBe(0);
  // Every line is a JSON object, whatever names it holds, and no error was unexpected.
  expect(query.app.output).toBe('');
  expect(query.app.logs.filter(({ level }) => ['error', 'fatal'].includes(level))).toEqual([]);
}, 300_000);

/** What alice, who may watch the queue, gets from each API. */
async function neighbour(): Promise<string> {
  const authorization = ALICE;
  const [{ state }, { answer }, overHttp] = await Promise.all([
    pollCalmly(query.client, KEY, JOB_ID, { authorization }),
    unary(query.client, JobsService.getJobStatus, { jobIds: [JOB_ID] }, { authorization }),
    fetch(`${query.http}/v1/job/status`, {
      method: 'POST',
      headers: { authorization },
      body: JSON.stringify({ jobIds: [JOB_ID] }),
    }),
  ]);
  const { jobStates } = (await overHttp.json()) as { jobStates: Record<string, number> };
  const isSame = JSON.stringify(jobStates) === JSON.stringify(answer.jobStates);
  const modern = Object.keys(JobState).find(
    (name) => JobState[name as 'QUEUED'] === answer.jobStates[JOB_ID],
  );
  return `${state} ${modern} ${isSame ? overHttp.status : 'another by HTTP'}`;
}

async function residentBytes(): Promise<number> {
  const metrics = await (await fetch(`${query.http}/metrics`)).text();
  return Number(/^process_resident_memory_bytes (.*)$/m.exec(metrics)?.[1]);
}
