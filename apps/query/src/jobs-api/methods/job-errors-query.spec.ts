import { status } from '@grpc/grpc-js';
import { ARMADA_UNAVAILABLE } from '../testing/fake-armada-jobs.js';
import { JobsApiHarness, jobRecord } from '../testing/jobs-api-harness.js';

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
