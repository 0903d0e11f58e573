import { JobId } from '@ajs/job-state';
import { status } from '@grpc/grpc-js';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { LONGEST_REASON } from '@ajs/wire-mapping';
import { ARMADA_UNAVAILABLE } from '../testing/fake-armada-jobs.js';
import { JobsApiHarness, KEY, jobRecord } from '../testing/jobs-api-harness.js';

describe('GetJobErrors', () => {
  const failure = { reason: 'Container main failed', exitCodes: { main: 1 } };
  let h: JobsApiHarness;

  beforeEach(() => {
    h = new JobsApiHarness();
  });

  it('answers the text that the stream brought', async () => {
    await h.write({
      f: jobRecord('FAILED', { failure }),
      r: jobRecord('REJECTED', { failure: { reason: 'does not fit' } }),
      s: jobRecord('SUCCEEDED', { failure }),
    });
    expect(await h.errors('f', 'r', 's')).toEqual({ f: 'Container main failed', r: 'does not fit', s: '' });
    expect(h.armada.calls).toEqual([]);
  });

  it('fetches the text from Armada once where the scheduler gave the job up with a summary of its own', async () => {
    await h.write({ j: jobRecord('FAILED', { failure: { reason: 'Retry policy: limit exceeded' } }) });
    h.armada.errorTexts.set('j', 'the error of the run');
    expect(await h.errors('j')).toEqual({ j: 'the error of the run' });
    expect(await h.errors('j')).toEqual({ j: 'the error of the run' });
    expect(h.armada.calls).toEqual([['errors', 'j']]);
  });

  it.each([
    ['an end without a reason', jobRecord('REJECTED')],
    [
      'a reason that may be cut off',
      jobRecord('REJECTED', { failure: { reason: 'x'.repeat(LONGEST_REASON) } }),
    ],
    [
      'one of a container, too',
      jobRecord('FAILED', { failure: { ...failure, reason: 'x'.repeat(LONGEST_REASON) } }),
    ],
    ['a preemption without a reason', jobRecord('PREEMPTED')],
  ])('fetches the text from Armada where the stream brought %s', async (_, record) => {
    await h.write({ j: record });
    h.armada.errorTexts.set('j', 'the whole text');
    expect(await h.errors('j')).toEqual({ j: 'the whole text' });
  });

  it('answers the text of the latest run, also of a job that is queued again or was cancelled then', async () => {
    const failed = { run: { outcome: 'failed' as const }, failure: { reason: 'exit 7' } };
    await h.write({
      p: jobRecord('PREEMPTED', { failure: { reason: 'by another' } }),
      q: jobRecord('QUEUED', failed),
      c: jobRecord('CANCELLED', failed),
    });
    expect(await h.errors('p', 'q', 'c')).toEqual({ p: 'by another', q: 'exit 7', c: 'exit 7' });
    await h.write({ q: jobRecord('QUEUED', { run: {}, failure }), r: jobRecord('RUNNING', failed) });
    expect(await h.errors('q', 'r')).toEqual({ q: '', r: '' });
    expect(h.armada.calls).toEqual([]);
  });

  it('answers the reason that the stream brings after Armada had none, and asks no more', async () => {
    await h.store.report(KEY, new Map([[JobId('j'), { state: 'FAILED' }]]));
    h.armada.errorTexts.set('j', '');
    expect(await h.errors('j')).toEqual({ j: '' });
    await h.write({ j: jobRecord('FAILED', { failure: { reason: 'gave up' } }) });
    expect(await h.errors('j')).toEqual({ j: 'gave up' });
    expect(h.armada.calls).toHaveLength(1);
  });

  it.each([
    [65_536, 1],
    [65_537, 2],
  ])(
    'stores a text of at most 64 Ki characters: one of %i is fetched %i times for two calls',
    async (length, calls) => {
      await h.write({ j: jobRecord('FAILED') });
      const j = 'x'.repeat(length);
      h.armada.errorTexts.set('j', j);
      for (let i = 0; i < 2; i++) expect(await h.errors('j')).toEqual({ j });
      expect(h.armada.calls).toHaveLength(calls);
    },
  );

  it('answers the text that it could not store, and reports why', async () => {
    const full = new Error('OOM command not allowed');
    h.store.addEnrichment = () => Promise.reject(full);
    await h.write({ j: jobRecord('FAILED', { failure: { reason: 'gave up' } }) });
    h.armada.errorTexts.set('j', 'the error of the run');
    expect(await h.errors('j')).toEqual({ j: 'the error of the run' });
    await nextTurn();
    expect(h.redisFailures).toEqual([full]);
  });

  it('keeps to the stream where Armada is unavailable, or has no text yet', async () => {
    await h.write({ j: jobRecord('FAILED', { failure: { reason: 'gave up' } }) });
    h.armada.errorTexts.set('j', '');
    expect(await h.errors('j')).toEqual({ j: 'gave up' });
    h.armada.failure = ARMADA_UNAVAILABLE;
    expect(await h.errors('j')).toEqual({ j: 'gave up' });
  });

  it('leaves out what does not exist, and is UNAVAILABLE where Armada cannot say whether it does', async () => {
    h.armada.errorTexts.set('x', 'boom');
    expect(await h.errors('x', 'y')).toEqual({ x: 'boom' });
    h.armada.failure = ARMADA_UNAVAILABLE;
    await expect(h.errors('x')).rejects.toMatchObject({ code: status.UNAVAILABLE });
  });
});
