import { JobState } from '@ajs/contracts/api/submit';
import { Cursor, JobId } from '@ajs/job-state';
import { RedisJobLister, RedisJobSink, createRedisClient, type RedisClient } from '@ajs/job-store';
import { RedisServer, eventually } from '@ajs/testing';
import type { Command } from 'ioredis';
import { CoalescedLister } from '../store/coalesced-lister.js';
import { JobsApiHarness, KEY, jobRecord } from './testing/jobs-api-harness.js';

describe('a call of api.Jobs for jobs that were never requested', () => {
  let server: RedisServer;
  let redis: RedisClient;

  beforeAll(async () => {
    server = await RedisServer.start();
    redis = createRedisClient({ kind: 'single', url: server.url }, 'reader', () => undefined);
    await eventually('Redis answers', () => redis.status === 'ready');
  });
  afterAll(async () => {
    redis.disconnect();
    await server.stop();
  });

  it('takes one command to find their job set and one to read a thousand of them', async () => {
    const jobIds = Array.from(
      { length: 1_001 },
      (_, i) => `01arz3ndektsv4rrffq69g${String(i).padStart(4, '0')}`,
    );
    const sink = new RedisJobSink(redis, {
      ttlSeconds: 1_000,
      onLost: () => {},
      onKept: () => {},
      onUnreadable: () => {},
    });
    const writer = await sink.open(KEY);
    const records = jobIds.map(
      (jobId, i) => [JobId(jobId), jobRecord(i % 2 === 0 ? 'RUNNING' : 'FAILED')] as const,
    );
    const subscription = { state: 'live', reason: '' } as const;
    await writer.write({ cursor: Cursor('1:0:0:1'), records: new Map(records), subscription });
    const lister = new CoalescedLister(new RedisJobLister(redis), () => undefined);
    const h = new JobsApiHarness({ lister, maxJobIds: 1_000 });
    // Redis has the scripts from then on.
    const [first = '', ...others] = jobIds;
    await h.states(first);

    const commands: string[] = [];
    const send = redis.sendCommand.bind(redis) as (command: Command, ...more: unknown[]) => unknown;
    redis.sendCommand = (command: Command, ...more: unknown[]) => {
      commands.push(command.name);
      return send(command, ...more);
    };
    expect(Object.values(await h.states(...others))).toEqual(
      others.map((_, i) => (i % 2 === 0 ? JobState.FAILED : JobState.RUNNING)),
    );
    expect(commands).toEqual(['evalsha', 'evalsha']);
  });
});
