import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';
import { Tally } from './tally.js';

export const PREFIX = 'armada_job_service_';

/**
 * The metrics that every process has, as `/metrics` shows them. No label value comes from outside: names of jobs, queues and callers
 * never do.
 */
export class Metrics {
  readonly registry = new Registry();

  /** `cause` is a `RedisErrorKind`. */
  readonly redisErrors = this.counter(
    'redis_errors_total',
    'Failed Redis connections and commands, by cause',
    ['cause'],
  );
  /** `reason` is a `WriteRefusal`. */
  readonly redisWritesRefused = this.gauge(
    'redis_writes_refused',
    'Whether Redis refuses writes (1), by reason: out-of-memory, not-persisting, too-few-replicas or read-only',
    ['reason'],
  );
  readonly rejectedConnections = this.counter(
    'rejected_connections_total',
    "Connections closed at a limit, by port and limit: the address's share of the connections, their total, or requests that wait on one connection (pipelining)",
    ['port', 'limit'],
  );
  readonly credentialRenewals = this.counter(
    'credential_renewals_total',
    'Renewals of the token for Armada, by outcome',
    ['outcome'],
  );

  readonly upstreamCalls = this.counter(
    'upstream_calls_total',
    'Calls to Armada that have ended, by method, gRPC code and identity: own, or caller (permission checks). Forwarded calls are not among them',
    ['method', 'identity', 'code'],
  );
  readonly upstreamCallSeconds = this.histogram(
    'upstream_call_duration_seconds',
    'Time from a call to Armada to its end, by method. Watches, which have no end of their own, are not among them',
    [0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    ['method'],
  );

  constructor() {
    collectDefaultMetrics({ register: this.registry });
  }

  protected counter<L extends string = never>(name: string, help: string, labelNames: L[] = []): Counter<L> {
    return new Counter({ name: PREFIX + name, help, labelNames, registers: [this.registry] });
  }

  /** A counter of what every call counts. */
  protected tally(name: string, help: string, label: string): Tally {
    const tally = new Tally();
    new Counter({
      name: PREFIX + name,
      help,
      labelNames: [label],
      registers: [this.registry],
      collect() {
        for (const [value, times] of tally.take()) this.inc({ [label]: value }, times);
      },
    });
    return tally;
  }

  protected gauge<L extends string = never>(name: string, help: string, labelNames: L[] = []): Gauge<L> {
    return new Gauge({ name: PREFIX + name, help, labelNames, registers: [this.registry] });
  }

  /** A gauge that has what `read` returns whenever the metrics are read; whoever knows the number puts its own function there. */
  protected measured(name: string, help: string): { read: () => number } {
    const source = { read: () => 0 };
    new Gauge({
      name: PREFIX + name,
      help,
      registers: [this.registry],
      collect() {
        this.set(source.read());
      },
    });
    return source;
  }

  protected histogram<L extends string = never>(
    name: string,
    help: string,
    buckets: number[],
    labelNames: L[] = [],
  ): Histogram<L> {
    return new Histogram({ name: PREFIX + name, help, buckets, labelNames, registers: [this.registry] });
  }
}

/** The metrics of an ingester. */
export class IngesterMetrics extends Metrics {
  readonly watches = this.gauge('watches', 'Watches that this replica holds of WATCH_BUDGET');
  readonly assignments = this.gauge('assignments', 'Job sets assigned to this replica');
  readonly jobSets = this.gauge(
    'job_sets',
    'Job sets that are to be followed, by the state of their subscription, across all replicas. Only the replica that swept last reports them: take the maximum',
    ['state'],
  );
  readonly jobSetsAwaitingRead = this.gauge(
    'job_sets_awaiting_read',
    'Job sets without a watch that wait for their next scheduled read, across all replicas',
  );
  readonly upstreamReads = this.counter('upstream_reads_total', 'Event stream reads started at Armada');
  readonly upstreamReadsWaiting = this.gauge(
    'upstream_reads_waiting',
    'Event stream reads delayed by UPSTREAM_READS_PER_SECOND',
  );
  readonly streamEnds = this.counter(
    'stream_ends_total',
    'Event streams of Armada that ended before they were closed, by kind of end',
    ['kind'],
  );
  readonly eventsApplied = this.counter('events_applied_total', 'Events whose effect is stored in Redis');
  readonly batchesWritten = this.counter('batches_written_total', 'Batches of events written to Redis');
  readonly eventLagSeconds = this.histogram(
    'event_lag_seconds',
    "Time from an event of a followed job set to its write to Redis, of the oldest event in each batch. The event has the time of Armada's clock, its write that of Redis' clock",
    [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800],
  );
  readonly writeConflicts = this.counter(
    'write_conflicts_total',
    'Batches that were rejected because the job set had changed since it was loaded, and were written again',
  );
  readonly reopenedJobSets = this.counter(
    'reopened_job_sets_total',
    'Job sets reopened because another replica had taken ownership, or Redis had lost writes',
  );
  readonly failedAssignments = this.counter(
    'failed_assignments_total',
    'Job sets given back because this version cannot read what is stored (unreadable), or because of a defect (failed)',
    ['cause'],
  );
  readonly repairedJobs = this.counter(
    'repaired_jobs_total',
    "Jobs whose terminal state was taken from Armada's api.Jobs because their event stream lacked it",
  );
  readonly reconciliations = this.counter(
    'reconciliations_total',
    "Comparisons of the unfinished jobs of a job set with Armada's api.Jobs, by outcome",
    ['outcome'],
  );
  readonly eventsBehindApiJobs = this.gauge(
    'events_behind_api_jobs_seconds',
    "By how much Armada's events lag behind its api.Jobs: the most of any job set that this replica follows, 0 up to 8 s",
  );
  readonly jobSetsBehindApiJobs = this.gauge(
    'job_sets_behind_api_jobs',
    'Job sets that this replica follows whose events from Armada lag behind its api.Jobs by more than 8 s',
  );
  readonly skippedMessages = this.counter(
    'skipped_messages_total',
    'Messages of Armada that were skipped, by kind: of an unknown kind, without a usable job id (malformed), or unreadable',
    ['kind'],
  );
}

/** The metrics of a query. */
export class QueryMetrics extends Metrics {
  readonly shedCalls = this.counter(
    'shed_calls_total',
    "Calls rejected at a limit of concurrent calls or of the memory for messages, by pool, and by limit: the caller's share, or the total",
    ['pool', 'limit'],
  );
  readonly waitingCalls = this.measured(
    'waiting_calls',
    'Calls that wait: for a permission check, the first read of a job set, Redis, or Armada (MAX_WAITING_CALLS)',
  );
  readonly rejectedJobSets = this.counter(
    'rejected_job_sets_total',
    'Polled job sets that are not followed because of MAX_JOB_SETS or MAX_NEW_JOB_SETS_PER_CALLER',
  );
  readonly legacyPolls = this.tally(
    'legacy_polls_total',
    'Polls of the legacy API (jobservice.JobService), by answer',
    'answer',
  );
  readonly jobsApiCalls = this.counter('jobs_api_calls_total', 'Calls of api.Jobs by method and gRPC code', [
    'method',
    'code',
  ]);
  readonly v2Calls = this.counter(
    'v2_calls_total',
    'Completed calls of jobservice.v2 by method and gRPC code, streams included. RESOURCE_EXHAUSTED: a limit, or a reader that is too slow',
    ['method', 'code'],
  );
  readonly waitSeconds = this.histogram(
    'wait_duration_seconds',
    'Time from a call of WaitForJobs to its answer: until its jobs have arrived, or its time is over',
    [0.01, 0.1, 1, 10, 30, 60, 300, 600],
  );
  readonly forwardedCalls = this.counter(
    'forwarded_calls_total',
    'Completed pass-through calls by service and gRPC code, including those rejected by this service',
    ['service', 'code'],
  );
  /** `api` is `legacy`, `jobs`, `v2` or `forwarded`. */
  readonly callSeconds = this.histogram(
    'call_duration_seconds',
    'Time from a call to its answer, by API: legacy (jobservice.JobService), jobs (api.Jobs), v2 (jobservice.v2, without waits and watches), or forwarded (pass-through, without watches). The first legacy poll of a job set waits for its first read',
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1, 2.5, 10],
    ['api'],
  );
  readonly forwardedWatches = this.gauge('forwarded_watches', 'Open pass-through watches');
  readonly changeFeeds = this.gauge(
    'change_feeds',
    'Job sets whose changes are followed for callers that wait for jobs or watch them',
  );
  readonly missedChanges = this.counter(
    'missed_changes_total',
    'Times that jobs were read again because notices of changes were lost',
  );
  readonly openCalls = this.gauge(
    'open_calls',
    'Calls of jobservice.v2 that wait for jobs or watch them, by method (MAX_OPEN_WAITS, MAX_OPEN_WATCHES)',
    ['method'],
  );
  readonly submitRecordingFailures = this.counter(
    'submit_recording_failures_total',
    'Forwarded submissions whose jobs could not all be recorded',
  );
  readonly internalErrors = this.counter(
    'internal_errors_total',
    'Calls that ran into a defect of this service; the log has the errors',
  );
  readonly unreadableRecords = this.counter(
    'unreadable_records_total',
    'Requests for jobs whose stored record this version cannot read',
  );
}
