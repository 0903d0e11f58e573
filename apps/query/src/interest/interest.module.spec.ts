import { jest } from '@jest/globals';
import type { RedisClient } from '@ajs/job-store';

import { Readiness } from '@ajs/runtime';
import type { InterestRecorder } from '@ajs/subscriptions';
import { EventEmitter } from 'node:events';
import { InterestModule } from './interest.module.js';

function anInterestModule(flushed: () => Promise<void> = () => Promise.resolve()) {
  let invalidated = 0;
  const redis = new EventEmitter();
  const progress: { standstill?: string } = {};
  const recorder = { invalidate: () => invalidated++, flushed, progress } as unknown as InterestRecorder;
  const readiness = new Readiness();
  const module = new InterestModule(recorder, redis as unknown as RedisClient, readiness);
  return { module, redis, readiness, progress, invalidated: () => invalidated };
}

describe('interest', () => {
  it('is recorded again whenever Redis is back, perhaps with less than it had', () => {
    const { module, redis, invalidated } = anInterestModule();
    module.onModuleInit();
    expect(invalidated()).toBe(0);
    redis.emit('ready');
    redis.emit('ready');
    expect(invalidated()).toBe(2);
  });

  it('is said not to be written where that stands still, and the process stays ready: polls are answered without it', async () => {
    const { module, readiness, progress } = anInterestModule();
    module.onModuleInit();
    expect(await readiness.report()).toEqual({ ready: true, checks: { interest: 'ok' } });
    progress.standstill = 'no round for 31 s';
    expect(await readiness.report()).toEqual({ ready: true, checks: { interest: 'no round for 31 s' } });
  });

  it('is written before the process ends, which waits no longer than 500 ms for a Redis that does not answer', async () => {
    let flush = (): void => {};
    const written = anInterestModule(() => new Promise((resolve) => (flush = resolve))).module;
    const unwritten = anInterestModule(() => new Promise(() => undefined)).module;
    const ended: string[] = [];
    jest.useFakeTimers();
    try {
      void written.onApplicationShutdown().then(() => ended.push('written'));
      void unwritten.onApplicationShutdown().then(() => ended.push('unwritten'));
      await jest.advanceTimersByTimeAsync(499);
      expect(ended).toEqual([]);
      flush();
      await jest.advanceTimersByTimeAsync(0);
      expect(ended).toEqual(['written']);
      await jest.advanceTimersByTimeAsync(1);
      expect(ended).toEqual(['written', 'unwritten']);
    } finally {
      jest.useRealTimers();
    }
  });
});
