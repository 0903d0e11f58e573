import { jest } from '@jest/globals';
import type { RedisClient } from '@ajs/job-store';
import type { Log } from '@ajs/observability';
import { RedisKeys } from '@ajs/redis-keys';
import { Readiness, type RedisConnections, type RedisErrorLog } from '@ajs/runtime';
import type { JobSetWorker, WorkQueue } from '@ajs/subscriptions';
import { eventually } from '@ajs/testing';
import { EventEmitter } from 'node:events';
import { WorkerModule } from './worker.module.js';

const KEYS = new RedisKeys();

function aWorkerModule(stop: () => Promise<void> = () => Promise.resolve()) {
  const steps: string[] = [];
  const writer = new EventEmitter();
  const subscriber = Object.assign(new EventEmitter(), {
    subscribe: () => Promise.resolve(1),
    ownKeys: KEYS,
  });
  const readiness = new Readiness();
  const module = new WorkerModule(
    {
      start: () => steps.push('start'),
      heartbeat: () => steps.push('heartbeat'),
      requestRead: ({ jobSetId }: { jobSetId: string }) => steps.push(`read ${jobSetId}`),
      owner: 'a',
      stop,
      loops: { subscriptions: () => '1 of 2: no progress for 61 s' },
    } as unknown as JobSetWorker,
    writer as unknown as RedisClient,
    { open: () => subscriber } as unknown as RedisConnections,
    { report: () => steps.push('error') } as unknown as RedisErrorLog,
    { warn: (text: string) => steps.push(text) } as unknown as Log,
    { check: () => Promise.reject(new Error('Connection is closed.')) } as unknown as WorkQueue,
    readiness,
  );
  return { module, writer, subscriber, readiness, steps };
}

describe('the worker of an ingester', () => {
  it('has every owner look at what Redis has whenever it is back, perhaps with less than it had', () => {
    const { module, writer, steps } = aWorkerModule();
    module.onApplicationBootstrap();
    expect(steps).toEqual(['start']);
    writer.emit('ready');
    writer.emit('ready');
    expect(steps).toEqual(['start', 'heartbeat', 'heartbeat']);
  });

  it('reads what polls request, and is not ready while the work queue does not answer or a loop stands still', async () => {
    const { module, subscriber, readiness, steps } = aWorkerModule();
    module.onApplicationBootstrap();
    subscriber.emit('message', KEYS.readRequestsChannel, 'q/s');
    expect(steps).toEqual(['start', 'read s']);
    expect(await readiness.report()).toEqual({
      ready: false,
      checks: { workQueue: 'Connection is closed.', subscriptions: '1 of 2: no progress for 61 s' },
    });
  });

  it('reports why it cannot listen to what polls request', async () => {
    const { module, subscriber, steps } = aWorkerModule();
    const subscribe = () => Promise.reject(new Error('Connection is closed.'));
    Object.assign(subscriber, { status: 'end', subscribe });
    module.onApplicationBootstrap();
    await eventually('it is reported', () => steps.includes('error'));
  });

  it('hands over before the process ends, which waits no longer than 3 s for a Redis that does not answer', async () => {
    const { module, steps } = aWorkerModule(() => new Promise(() => undefined));
    let hasEnded = false;
    jest.useFakeTimers();
    try {
      void module.beforeApplicationShutdown().then(() => (hasEnded = true));
      await jest.advanceTimersByTimeAsync(2_999);
      expect(hasEnded).toBe(false);
      await jest.advanceTimersByTimeAsync(1);
      expect(hasEnded).toBe(true);
      expect(steps).toEqual([expect.stringContaining('could not hand over all assignments')]);
    } finally {
      jest.useRealTimers();
    }
  });

  it('says nothing where everything is handed over', async () => {
    const { module, steps } = aWorkerModule();
    await module.beforeApplicationShutdown();
    expect(steps).toEqual([]);
  });
});
