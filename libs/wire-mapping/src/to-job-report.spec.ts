import { JobDetails, JobRunDetails } from '@ajs/contracts/api/job';
import { JobState } from '@ajs/contracts/api/submit';
import { LONGEST_NAME, LONGEST_REASON } from './bounds.js';
import { toJobReport } from './index.js';

const NOTHING = JobDetails.decode(new Uint8Array());
const timestamp = (seconds: number) => ({ seconds: `${seconds}`, nanos: 5_000_000 });
const run = (runId: string, leased: number): JobRunDetails => ({
  ...JobRunDetails.decode(new Uint8Array()),
  runId,
  leasedTs: timestamp(leased),
});

describe('where a job stands, as api.Jobs reports it', () => {
  it('is its state, with since when, and when it was submitted and its latest run leased', () => {
    const details = {
      ...NOTHING,
      state: JobState.PENDING,
      lastTransitionTs: timestamp(3),
      submittedTs: timestamp(1),
      latestRunId: 'b',
      jobRuns: [run('a', 1), run('b', 2)],
    };
    expect(toJobReport(details)).toEqual({
      state: 'PENDING',
      at: 3_005,
      submittedAt: 1_005,
      leasedAt: 2_005,
    });
    expect(toJobReport({ ...details, jobRuns: [run('a', 1)] })).not.toHaveProperty('leasedAt');
    expect(toJobReport({ ...NOTHING, state: JobState.SUCCEEDED })).toEqual({ state: 'SUCCEEDED' });
  });

  it('says why it failed: also that there is no reason, and nothing where that was not asked', () => {
    const details = { ...NOTHING, state: JobState.FAILED };
    expect(toJobReport(details, 'exit 7')).toEqual({ state: 'FAILED', failure: { reason: 'exit 7' } });
    expect(toJobReport(details, '')).toEqual({ state: 'FAILED', failure: { reason: '' } });
    expect(toJobReport(details)).toEqual({ state: 'FAILED' });
    expect(toJobReport({ ...NOTHING, state: JobState.RUNNING }, 'first run')).toEqual({ state: 'RUNNING' });
  });

  it('names who cancelled it', () => {
    const details = { ...NOTHING, state: JobState.CANCELLED, cancelReason: 'enough', cancelUser: 'alice' };
    expect(toJobReport(details)?.cancellation).toEqual({ reason: 'enough', requestor: 'alice' });
  });

  it.each([JobState.UNKNOWN, 99 as JobState])('is not known in state %i', (state) =>
    expect(toJobReport({ ...NOTHING, state })).toBeUndefined(),
  );

  it('keeps no more of its texts than fits', () => {
    const long = 'ä'.repeat(100_000);
    const details = { ...NOTHING, state: JobState.CANCELLED, cancelReason: long, cancelUser: long };
    const { cancellation } = toJobReport(details) ?? {};
    expect(cancellation?.reason).toHaveLength(LONGEST_REASON);
    expect(cancellation?.requestor).toHaveLength(LONGEST_NAME);
    const { failure } = toJobReport({ ...NOTHING, state: JobState.FAILED }, long) ?? {};
    expect(failure?.reason).toHaveLength(LONGEST_REASON);
  });
});
