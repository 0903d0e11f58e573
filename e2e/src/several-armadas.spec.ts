import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { JobsService } from '@ajs/contracts/api/job';
import { JobState as ArmadaJobState } from '@ajs/contracts/api/submit';
import {
  JobState,
  JobStatusServiceService,
  WaitCondition,
} from '@ajs/contracts/jobservice/v2/job_status_service';
import { RedisClusterServers, RedisServer, jobEvents, unary } from '@ajs/testing';
import { Redis } from 'ioredis';
import { jobIdFor } from './job-ids.js';
import { patiently } from './patiently.js';
import { ROOT } from './root.js';
import { Stack, poll, type RunningQuery } from './stack.js';

const DOCUMENT = readFileSync(join(ROOT, 'docs/redis.md'), 'utf8');
/** A job set, and a job in it, that both Armadas have. */
const KEY = { queue: 'lab', jobSetId: 's' };
const JOB_ID = jobIdFor('at both');
const JOB = { namespace: 'n', annotations: {} };

interface Deployment {
  readonly prefix: string;
  readonly stack: Stack;
  readonly query: RunningQuery;
}

let deployments: Deployment[] = [];
let admins: Redis[] = [];
let stopRedis = (): Promise<void> => Promise.resolve();

afterEach(async () => {
  await Promise.all(deployments.map(({ stack }) => stack.stop()));
  for (const admin of admins) admin.disconnect();
  await stopRedis();
});

/** The rights of docs/redis.md for a deployment with this prefix, as it says there. */
function rightsWith(prefix: string, user: string): string[] {
  const line = new RegExp(`^ {4}ACL SETUSER ${user} on >PASSWORD (.+)$`, 'm').exec(DOCUMENT)?.[1] ?? '';
  return line
    .split(' ')
    .map((rule) =>
      /^[~&]/.test(rule)
        ? `${rule.charAt(0)}${prefix}:${rule.slice(1).replace('{ajs}', `{${prefix}}`)}`
        : rule,
    );
}

async function deploy(prefix: string, redisUrl: string): Promise<Deployment> {
  const urlOf = (user: string): string => redisUrl.replace('://', `://${prefix}-${user}:PASSWORD@`);
  for (const admin of admins) {
    for (const user of ['ajs-ingester', 'ajs-query']) {
      const rules = ['reset', 'on', '>PASSWORD', ...rightsWith(prefix, user)];
      await admin.call('ACL', 'SETUSER', `${prefix}-${user}`, ...rules);
    }
  }
  const stack = await Stack.start(
    { REDIS_KEY_PREFIX: prefix },
    { url: redisUrl, stop: () => Promise.resolve() },
  );
  stack.armada.state.queues.add(KEY.queue);
  await stack.ingester({ REDIS_URL: urlOf('ajs-ingester') });
  return { prefix, stack, query: await stack.query({ REDIS_URL: urlOf('ajs-query') }) };
}

const append = (
  { stack }: Deployment,
  jobSetId: string,
  events: ReturnType<typeof jobEvents.running>,
): void => {
  stack.armada.state.openLog(KEY.queue, jobSetId).append(events);
};
const answers = ({ query }: Deployment, jobSetId: string, jobId: string, state: string): Promise<unknown> =>
  patiently(
    `${jobId} is ${state}`,
    async () => (await poll(query.client, { ...KEY, jobSetId }, jobId)).state === state,
  );
const endOf = async ({ query }: Deployment): Promise<JobState | undefined> => {
  const { answer } = await unary(query.client, JobStatusServiceService.waitForJobs, {
    refs: [{ queue: KEY.queue, jobSet: KEY.jobSetId, jobId: JOB_ID }],
    condition: WaitCondition.WAIT_CONDITION_ALL,
    states: [],
    count: 0,
    maxWait: { seconds: '60', nanos: 0 },
  });
  const result = answer.results[0]?.result;
  return result?.$case === 'job' ? result.value.state : undefined;
};

it.each([
  ['one server', () => RedisServer.start().then((server) => ({ redis: server, servers: [server] }))],
  ['a cluster', () => RedisClusterServers.start().then((all) => ({ redis: all, servers: all.servers }))],
])(
  'two deployments with a prefix each share %s, and neither sees the jobs, the work queue or the notices of the other',
  async (_, startRedis) => {
    const { redis, servers } = await startRedis();
    stopRedis = () => redis.stop();
    admins = servers.map(({ url }) => new Redis(url));
    const [lab, plant] = [await deploy('lab', redis.url), await deploy('plant', redis.url)];
    deployments = [lab, plant];
    const ownJobOf = ({ prefix }: Deployment): string => jobIdFor(`at the ${prefix} alone`);

    const ref = { ...KEY, jobId: JOB_ID };
    for (const each of deployments) {
      const own = { ...KEY, jobSetId: each.prefix, jobId: ownJobOf(each) };
      append(each, KEY.jobSetId, jobEvents.running(ref, JOB));
      append(each, own.jobSetId, jobEvents.running(own, JOB));
    }
    for (const each of deployments) {
      await answers(each, KEY.jobSetId, JOB_ID, 'RUNNING');
      await answers(each, each.prefix, ownJobOf(each), 'RUNNING');
    }

    const ends = deployments.map(endOf);
    append(plant, KEY.jobSetId, jobEvents.succeeded(ref));
    expect(await ends[1]).toBe(JobState.JOB_STATE_SUCCEEDED);
    append(lab, KEY.jobSetId, jobEvents.failed(ref, 1, false));
    expect(await ends[0]).toBe(JobState.JOB_STATE_FAILED);

    for (const [here, there] of [
      [lab, plant],
      [plant, lab],
    ] as const) {
      const elsewhere = ownJobOf(there);
      const { answer } = await unary(here.query.client, JobsService.getJobStatus, { jobIds: [elsewhere] });
      expect(answer.jobStates).toEqual({ [elsewhere]: ArmadaJobState.UNKNOWN });
      // Its Armada would have been asked for the events of a job set that its ingester had taken up.
      expect(here.stack.armada.state.log(KEY.queue, there.prefix)).toBeUndefined();
    }

    for (const admin of admins) {
      // None was ever denied a key or a channel: each asked for its own alone.
      const denied = (await admin.call('ACL', 'LOG')) as string[][];
      expect(denied.filter((entry) => !entry.includes('command'))).toEqual([]);
      const names = await Promise.all([
        admin.keys('*'),
        admin.pubsub('CHANNELS', '*'),
        admin.call('PUBSUB', 'SHARDCHANNELS', '*'),
      ]);
      expect(names.flat().filter((name) => !/^(?:lab|plant):/.test(String(name)))).toEqual([]);
    }
  },
  240_000,
);
