import type { GetActiveQueuesResponse, JobDetails, JobsServer } from '@ajs/contracts/api/job';
import { JobState } from '@ajs/contracts/api/submit';
import { status, type sendUnaryData } from '@grpc/grpc-js';
import type { ArmadaState } from './armada-state.js';
import { UNAVAILABLE, rpcError, type Faults } from './faults.js';
import { CLUSTER } from './job-events.js';
import type { ArmadaJob } from './armada-job.js';

const MOST_IDS = 500;
const ACTIVE: ReadonlySet<JobState> = new Set([JobState.LEASED, JobState.PENDING, JobState.RUNNING]);

/** `api.Jobs`. Errors of its limit of ids have the exact texts of Armada's methods. */
export function jobsService({ lookout }: ArmadaState, faults: Faults): JobsServer {
  const answer = <T>(callback: sendUnaryData<T>, make: () => T): void => {
    const { unavailable, jobsUnimplemented, jobsUnavailable, jobsDenied, jobsDelayMs } = faults.now;
    if (unavailable) callback(UNAVAILABLE);
    else if (jobsUnimplemented) callback(rpcError(status.UNIMPLEMENTED, 'unknown service api.Jobs'));
    else if (jobsUnavailable) callback(rpcError(status.UNAVAILABLE, 'the database is down'));
    else if (jobsDenied) callback(rpcError(status.PERMISSION_DENIED, 'anonymous may not ask api.Jobs'));
    else if (jobsDelayMs > 0) setTimeout(() => callback(null, make()), jobsDelayMs).unref();
    else callback(null, make());
  };
  const answerAll = <T>(
    ids: readonly string[],
    word: string,
    callback: sendUnaryData<T>,
    make: () => T,
  ): void => {
    const mostIds = faults.now.mostIds || MOST_IDS;
    if (ids.length <= mostIds) answer(callback, make);
    else callback(rpcError(status.UNKNOWN, `request contained more than ${mostIds} ${word}`));
  };
  const known = (jobIds: readonly string[]): ArmadaJob[] =>
    jobIds.map((jobId) => lookout.find(jobId)).filter((job) => job !== undefined);
  return {
    getJobStatus: ({ request: { jobIds } }, callback) =>
      answerAll(jobIds, 'jobIds', callback, () => ({
        jobStates: Object.fromEntries(
          jobIds.map((jobId) => [jobId, lookout.find(jobId)?.state ?? JobState.UNKNOWN]),
        ),
      })),
    getJobStatusUsingExternalJobUri: ({ request: { queue, jobset, externalJobUri } }, callback) => {
      if (externalJobUri === '') {
        callback(rpcError(status.UNKNOWN, 'request must contain external job uri'));
        return;
      }
      answer(callback, () => {
        const jobs = Array.from(lookout.all()).filter(
          (job) => job.queue === queue && job.jobSetId === jobset && job.externalJobUri === externalJobUri,
        );
        return { jobStates: Object.fromEntries(jobs.map(({ jobId, state }) => [jobId, state])) };
      });
    },
    getJobErrors: ({ request: { jobIds } }, callback) =>
      answerAll(jobIds, 'JobIds', callback, () => ({
        jobErrors: Object.fromEntries(known(jobIds).map(({ jobId, error }) => [jobId, error])),
      })),
    getJobDetails: ({ request: { jobIds, expandJobSpec, expandJobRun } }, callback) =>
      answerAll(jobIds, 'jobIds', callback, () => ({
        jobDetails: Object.fromEntries(
          known(jobIds).map((job) => [job.jobId, detailsOf(job, expandJobSpec, expandJobRun)]),
        ),
      })),
    getJobRunDetails: ({ request: { runIds } }, callback) =>
      answerAll(runIds, 'RunIds', callback, () => {
        const requested = new Set(runIds);
        const runs = Array.from(lookout.all()).flatMap(({ jobRuns }) => jobRuns);
        return {
          jobRunDetails: Object.fromEntries(
            runs.filter(({ runId }) => requested.has(runId)).map((run) => [run.runId, run]),
          ),
        };
      }),
    getActiveQueues: (_call, callback) =>
      answer(callback, (): GetActiveQueuesResponse => {
        const active = Array.from(lookout.all()).filter(({ state }) => ACTIVE.has(state));
        const queues = [...new Set(active.map(({ queue }) => queue))].sort();
        return { activeQueuesByPool: queues.length === 0 ? {} : { [CLUSTER.pool]: { queues } } };
      }),
  };
}

function detailsOf(job: ArmadaJob, withSpec: boolean, withRuns: boolean): JobDetails {
  const { jobSetId, jobRuns, jobSpec, jobId, queue, namespace, state } = job;
  const { submittedTs, cancelTs, cancelReason, cancelUser, lastTransitionTs } = job;
  return {
    jobId,
    queue,
    jobset: jobSetId,
    namespace,
    state,
    submittedTs,
    cancelTs,
    cancelReason,
    cancelUser,
    lastTransitionTs,
    latestRunId: jobRuns[0]?.runId ?? '',
    jobSpec: withSpec ? jobSpec : undefined,
    jobRuns: withRuns ? jobRuns : [],
  };
}
