import type { JobId } from '@ajs/job-state';
import { ArmadaJobsError, type ArmadaJobs } from '@ajs/armada-client';
import type { JobStatusUsingExternalJobUriRequest } from '@ajs/contracts/api/job';
import { JobState } from '@ajs/contracts/api/submit';
import type { JobDetailsLister } from '@ajs/job-store';
import type { JobStates } from '@ajs/wire-mapping';
import { status } from '@grpc/grpc-js';
import type { JobPermissions } from '../../access/job-permissions.js';
import type { Caller } from '../../caller.js';
import type { NoteInterest } from '../../interest/note-interest.js';
import { fromRedis } from '../../store/redis-read.js';
import { RpcError } from '../../rpc-error.js';
import type { JobStatesQuery } from './job-states-query.js';

export interface JobsByUriQueryOptions {
  readonly lister: Pick<JobDetailsLister, 'readUri'>;
  readonly states: JobStatesQuery;
  readonly noteInterest: NoteInterest;
}

/**
 * The jobs of a job set that were submitted with an external URI. Armada is always asked: the URI of a submitted item wins over
 * its annotation and is in no event, and on an empty answer Airflow submits the job a second time. Jobs recorded from submits through
 * this service are added, since Armada's own database is some moments behind.
 */
export class JobsByUriQuery {
  constructor(private readonly options: JobsByUriQueryOptions) {}

  /**
   * The states of all matching jobs, for a caller who may see the queue's jobs. Rejects with UNAVAILABLE where Armada, which has the
   * method, does not answer, and with PERMISSION_DENIED where it names another queue of one of them, which the caller may not see.
   */
  async run(
    request: JobStatusUsingExternalJobUriRequest,
    caller: Caller,
    permissions: JobPermissions,
    armada: ArmadaJobs,
  ): Promise<JobStates> {
    const { lister, states, noteInterest } = this.options;
    const key = { queue: request.queue, jobSetId: request.jobset };
    noteInterest(key, undefined, caller);
    // One after the other: while Redis is unavailable the call is retried, and Armada is not to be asked each time.
    const stored = await fromRedis(lister.readUri(key, request.externalJobUri));
    const reported = await fromArmada(request, armada);
    // An item's own URI overrides its annotation, so that the annotation counts only where Armada lacks the method.
    const jobIds = [...new Set([...(reported?.keys() ?? stored.annotated), ...stored.submitted])];
    // Read where the request says that they are, whatever the job index says.
    const found = await states.runIn(key, jobIds, permissions, armada);
    return {
      jobIds,
      states: jobIds.map((jobId, i) => {
        const state = found[i] ?? JobState.UNKNOWN;
        if (state !== JobState.UNKNOWN) return state;
        if (reported?.has(jobId)) throw contradiction(jobId);
        // Armada has accepted it: on its absence Airflow would submit it once more.
        return JobState.QUEUED;
      }),
    };
  }
}

/** `undefined` where Armada lacks the method: then the cache decides. */
async function fromArmada(
  request: JobStatusUsingExternalJobUriRequest,
  armada: ArmadaJobs,
): Promise<ReadonlyMap<JobId, JobState> | undefined> {
  try {
    return await armada.byExternalUri(request);
  } catch (error) {
    if (!(error instanceof ArmadaJobsError)) throw error;
    if (error.kind === 'unsupported') return undefined;
    throw new RpcError(
      status.UNAVAILABLE,
      `cannot list the jobs with this external_job_uri: Armada's api.Jobs failed: ${error.reason}`,
    );
  }
}

/** Armada has added the job between its two answers. */
function contradiction(jobId: JobId): RpcError {
  return new RpcError(
    status.UNAVAILABLE,
    `cannot resolve job ${JSON.stringify(jobId)}: Armada's api.Jobs lists it by this external_job_uri, but does not know it by its id yet; retry`,
  );
}
