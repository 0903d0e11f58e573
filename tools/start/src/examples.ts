import type { JobSetKey } from '@ajs/job-state';

export interface ExampleTarget {
  readonly key: JobSetKey;
  readonly jobId: string;
  /** `host:port` of the query's gRPC, and of its HTTP. */
  readonly grpc: string;
  readonly http: string;
}

/** Commands for a shell, one a line, that show a job and its job set. */
export function exampleCommands({ key, jobId, grpc, http }: ExampleTarget): string[] {
  const { queue, jobSetId } = key;
  const request = JSON.stringify({ queue, job_set_id: jobSetId, job_id: jobId });
  const jobSet = `http://${http}/v2/queues/${encodeURIComponent(queue)}/job-sets/${encodeURIComponent(jobSetId)}`;
  return [
    `grpcurl -plaintext -d ${quoted(request)} ${grpc} jobservice.JobService/GetJobStatus`,
    `curl ${quoted(`${jobSet}/jobs/${jobId}`)}`,
    `curl ${quoted(`${jobSet}/jobs/${jobId}?wait=10m`)}   # answers when the job has ended`,
    `curl -N ${quoted(`${jobSet}/events`)}`,
  ];
}

/** One word for a shell, whatever is in it. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
