import { JobDetails } from '@ajs/contracts/api/job';
import { JobState } from '@ajs/contracts/api/submit';
import { LONGEST_NAME, LONGEST_REASON } from './bounds.js';
import { toJobEnd } from './index.js';

const NOTHING = JobDetails.decode(new Uint8Array());
const lastTransitionTs = { seconds: '1795493200', nanos: 5_000_000 };

describe('the end of a job, as api.Jobs reports it', () => {
  it('is its last state, with when and why', () => {
    const details = { ...NOTHING, state: JobState.FAILED, lastTransitionTs };
    expect(toJobEnd(details, 'exit 7')).toEqual({
      state: 'FAILED',
      at: 1_795_493_200_005,
      failure: { reason: 'exit 7' },
    });
    expect(toJobEnd({ ...NOTHING, state: JobState.SUCCEEDED })).toEqual({ state: 'SUCCEEDED' });
  });

  it('names who cancelled it', () => {
    const details = { ...NOTHING, state: JobState.CANCELLED, cancelReason: 'enough', cancelUser: 'alice' };
    expect(toJobEnd(details)?.cancellation).toEqual({ reason: 'enough', requestor: 'alice' });
  });

  it.each([JobState.QUEUED, JobState.RUNNING, JobState.UNKNOWN, 99 as JobState])(
    'is none in state %i',
    (state) => expect(toJobEnd({ ...NOTHING, state })).toBeUndefined(),
  );

  it('keeps no more of its texts than fits', () => {
    const long = 'ä'.repeat(100_000);
    const details = { ...NOTHING, state: JobState.CANCELLED, cancelReason: long, cancelUser: long };
    const end = toJobEnd(details, long);
    expect(end?.failure?.reason).toHaveLength(LONGEST_REASON);
    expect(end?.cancellation?.reason).toHaveLength(LONGEST_REASON);
    expect(end?.cancellation?.requestor).toHaveLength(LONGEST_NAME);
  });
});
