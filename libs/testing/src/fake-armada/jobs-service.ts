import type { JobsServer } from '@ajs/contracts/api/job';
import { JobState } from '@ajs/contracts/api/submit';
import { status, type sendUnaryData } from '@grpc/grpc-js';
import type { ArmadaState, KnownJob } from './armada-state.js';
import { UNAVAILABLE, rpcError, type Faults } from './faults.js';

const MOST_IDS = 500;

/** As much of `api.Jobs` as tells of states and errors. */
export type JobsSubset = Pick<JobsServer, 'getJobStatus' | 'getJobErrors' | 'getJobDetails'>;

export function jobsService(state: ArmadaState, faults: Faults): JobsSubset {
  const answer = <T>(jobIds: readonly string[], callback: sendUnaryData<T>, make: () => T): void => {
    const { unavailable, jobsUnimplemented } = faults.now;
    if (unavailable) callback(UNAVAILABLE);
    else if (jobsUnimplemented) callback(rpcError(status.UNIMPLEMENTED, 'unknown service api.Jobs'));
    else if (jobIds.length > MOST_IDS) {
      callback(rpcError(status.UNKNOWN, `request contained more than ${MOST_IDS} jobIds`));
    } else callback(null, make());
  };
  const known = (jobIds: readonly string[]): KnownJob[] =>
    jobIds.map((jobId) => state.jobs.get(jobId)).filter((job) => job !== undefined);
  return {
    getJobStatus: ({ request: { jobIds } }, callback) =>
      answer(jobIds, callback, () => ({
        jobStates: Object.fromEntries(
          jobIds.map((jobId) => [jobId, state.jobs.get(jobId)?.state ?? JobState.UNKNOWN]),
        ),
      })),
    getJobErrors: ({ request: { jobIds } }, callback) =>
      answer(jobIds, callback, () => ({
        jobErrors: Object.fromEntries(known(jobIds).map(({ jobId, error }) => [jobId, error])),
      })),
    getJobDetails: ({ request: { jobIds } }, callback) =>
      answer(jobIds, callback, () => ({
        jobDetails: Object.fromEntries(
          known(jobIds).map(({ jobId, queue, jobSetId, state: jobState }) => [
            jobId,
            {
              jobId,
              queue,
              jobset: jobSetId,
              namespace: 'default',
              state: jobState,
              cancelReason: '',
              latestRunId: '',
              jobRuns: [],
              cancelUser: '',
              submittedTs: undefined,
              cancelTs: undefined,
              lastTransitionTs: undefined,
              jobSpec: undefined,
            },
          ]),
        ),
      })),
  };
}
