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
import { sharedBytes, type SharedBytes } from '../changes/shared-bytes.js';
import { framed } from '../grpc/response.js';
import type { StreamMethod } from '../grpc/server-stream.js';
import { freshnessOf } from './job-result-of.js';
import type { JobSetWatcher } from './job-set-watcher.js';
import type { JobsWatcher } from './jobs-watcher.js';
import { MAX_REFS_REQUEST_BYTES, checkRefCount, jobSetKeyOf } from './requests.js';
import type { V2Calls } from './v2-service.js';

/** Names and a token. Bytes. */
const MAX_REQUEST_BYTES = 8 * 1024;

export interface V2Watchers {
  readonly jobSets: Pick<JobSetWatcher, 'watch'>;
  readonly jobs: Pick<JobsWatcher, 'watch'>;
}

/** The streaming methods of `jobservice.v2.JobStatusService` over gRPC. */
export function v2Streams({
  watchers: { jobSets, jobs },
  failed,
  answered,
}: Pick<V2Calls, 'watchers' | 'failed' | 'answered'>): readonly StreamMethod[] {
  const watchJobSet: StreamMethod<WatchJobSetRequest> = {
    definition: JobStatusServiceService.watchJobSet,
    maxRequestBytes: MAX_REQUEST_BYTES,
    async stream(request, caller, responses) {
      const key = jobSetKeyOf(request);
      const toFrames = request.onlyTerminal ? framesOfTerminal : framesOfAll;
      await jobSets.watch(key, request.resumeToken, caller, (events) => {
        const frames = toFrames(key, events);
        return frames.length === 0 ? undefined : responses.send(frames);
      });
    },
    failed,
    ended: (code, seconds) => answered('watchJobSet', code, seconds),
  };
  const watchJobs: StreamMethod<WatchJobsRequest> = {
    definition: JobStatusServiceService.watchJobs,
    maxRequestBytes: MAX_REFS_REQUEST_BYTES,
    check: checkRefCount,
    stream: (request, caller, responses) =>
      jobs.watch(request, caller, (result) =>
        responses.send(framed(WatchJobsResponse.encode({ result }).finish())),
      ),
    failed,
    ended: (code, seconds) => answered('watchJobs', code, seconds),
  };
  return [watchJobSet, watchJobs];
}

function isOfTerminal(event: JobSetEvent): boolean {
  return (
    event.kind !== 'job' || (event.changed.job !== undefined && isTerminal(event.changed.job.record.state))
  );
}

function framesOf(wanted: (event: JobSetEvent) => boolean): SharedBytes {
  return sharedBytes((key, events) => {
    const responses = events.filter(wanted).flatMap((event) => encoded(key, event) ?? []);
    return Buffer.concat(responses.map(framed));
  });
}

const framesOfAll = framesOf(() => true);
const framesOfTerminal = framesOf(isOfTerminal);

/** `undefined` for a job that cannot be shown: a newer version of this service wrote it. */
function encoded(key: JobSetKey, event: JobSetEvent): Uint8Array | undefined {
  const shown = toEvent(key, event);
  return shown && WatchJobSetResponse.encode({ event: shown, resumeToken: event.token }).finish();
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
