import {
  JobStatusServiceService,
  WatchJobSetResponse,
  WatchJobsResponse,
  type WatchJobSetRequest,
  type WatchJobsRequest,
} from '@ajs/contracts/jobservice/v2/job_status_service';
import { isTerminal, type JobSetKey } from '@ajs/job-state';
import { toV2Job } from '@ajs/wire-mapping';
import type { JobSetEvent } from '../changes/job-set-stream.js';
import type { StreamMethod } from '../grpc/server-stream.js';
import type { RpcError } from '../rpc-error.js';
import { freshnessOf } from './job-result-of.js';
import type { JobSetWatcher } from './job-set-watcher.js';
import type { JobsWatcher } from './jobs-watcher.js';
import { MAX_REFS_REQUEST_BYTES, checkRefCount, jobSetKeyOf } from './requests.js';

/** Names and a token. Bytes. */
const MAX_REQUEST_BYTES = 8 * 1024;

export interface V2Watchers {
  readonly jobSets: Pick<JobSetWatcher, 'watch'>;
  readonly jobs: Pick<JobsWatcher, 'watch'>;
}

/** What an event was once encoded to: many streams share it. */
const encoded = new WeakMap<JobSetEvent, Uint8Array>();

/** The streaming methods of `jobservice.v2.JobStatusService` over gRPC. `failed`: how a call is answered that ran into this. */
export function v2Streams(
  { jobSets, jobs }: V2Watchers,
  failed: (error: unknown) => RpcError,
): readonly StreamMethod[] {
  const watchJobSet: StreamMethod<WatchJobSetRequest> = {
    definition: JobStatusServiceService.watchJobSet,
    maxRequestBytes: MAX_REQUEST_BYTES,
    async stream(request, caller, responses) {
      const key = jobSetKeyOf(request);
      await jobSets.watch(key, request.resumeToken, caller, (event) => {
        if (request.onlyTerminal && !isOfTerminal(event)) return undefined;
        const response = encodedEvent(key, event);
        return response && responses.send(response);
      });
    },
    failed,
  };
  const watchJobs: StreamMethod<WatchJobsRequest> = {
    definition: JobStatusServiceService.watchJobs,
    maxRequestBytes: MAX_REFS_REQUEST_BYTES,
    check: checkRefCount,
    stream: (request, caller, responses) =>
      jobs.watch(request, caller, (result) => responses.send(WatchJobsResponse.encode({ result }).finish())),
    failed,
  };
  return [watchJobSet, watchJobs];
}

function isOfTerminal(event: JobSetEvent): boolean {
  return (
    event.kind !== 'job' || (event.changed.job !== undefined && isTerminal(event.changed.job.record.state))
  );
}

/** `undefined` for a job that cannot be shown: a newer version of this service wrote it. */
function encodedEvent(key: JobSetKey, event: JobSetEvent): Uint8Array | undefined {
  let response = encoded.get(event);
  if (response !== undefined) return response;
  const shown = toEvent(key, event);
  if (shown === undefined) return undefined;
  response = WatchJobSetResponse.encode({ event: shown, resumeToken: event.token }).finish();
  encoded.set(event, response);
  return response;
}

/** As {@link WatchJobSetResponse} has it; of a job that cannot be shown `undefined`. */
export function toEvent(key: JobSetKey, event: JobSetEvent): WatchJobSetResponse['event'] {
  switch (event.kind) {
    case 'job': {
      const { jobId, job } = event.changed;
      return job && { $case: 'job', value: toV2Job(jobId, key, job.record, job.enrichment) };
    }
    case 'snapshot-end':
      return { $case: 'snapshotEnd', value: {} };
    case 'bookmark':
      return { $case: 'bookmark', value: { freshness: freshnessOf(event.moment) } };
  }
}
