import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';

const PREFIX = 'armada_job_service_';

/** The numbers of one process, as `/metrics` tells them. No label holds a name from outside. */
export class Metrics {
  readonly registry = new Registry();

  readonly redisErrors = this.counter(
    'redis_errors_total',
    'Connections to and commands of Redis that failed',
  );
  readonly watches = this.gauge('watches', 'Watches that this replica has of the budget of all replicas');
  readonly turns = this.gauge('turns', 'Job sets that this replica watches or reads now');
  readonly scheduledJobSets = this.gauge(
    'scheduled_job_sets',
    'Job sets without a watch that wait for their next read, of all replicas',
  );
  readonly upstreamReads = this.counter('upstream_reads_total', 'Reads of event streams begun at Armada');
  readonly waitingReads = this.gauge('waiting_reads', 'Reads that wait for UPSTREAM_READS_PER_SECOND');
  readonly redisFull = this.counter(
    'redis_full_total',
    'Writes that Redis refused because it has reached its maxmemory',
  );
  readonly streamEnds = this.counter(
    'stream_ends_total',
    'Event streams of Armada that ended while they were wanted',
    ['kind'],
  );
  readonly eventsApplied = this.counter(
    'events_applied_total',
    'Messages of Armada whose effect is in Redis',
  );
  readonly batchesWritten = this.counter('batches_written_total', 'Batches written to Redis');
  readonly staleWrites = this.counter(
    'stale_writes_total',
    'Writes refused because somebody else wrote the job set since: a query that learned of a job, or another holder',
  );
  readonly reopenedJobSets = this.counter(
    'reopened_job_sets_total',
    'Job sets opened again because another holder followed them, or Redis lost writes',
  );
  readonly repairedJobs = this.counter(
    'repaired_jobs_total',
    'Jobs that were given an end told by the api.Jobs of Armada, since their stream did not show it',
  );
  readonly reconcileRounds = this.counter(
    'reconcile_rounds_total',
    'Times that the unfinished jobs of a job set were compared with the api.Jobs of Armada',
    ['result'],
  );
  readonly skippedMessages = this.counter(
    'odd_messages_total',
    'Messages of Armada of an unknown kind, or that name no usable job: skipped',
    ['kind'],
  );
  readonly refusedConnections = this.counter(
    'refused_connections_total',
    'Connections closed as they came, since the port had as many as it may have',
    ['port'],
  );
  readonly credentialRenewals = this.counter(
    'credential_renewals_total',
    'Tokens for Armada that were fetched, or could not be',
    ['outcome'],
  );
  readonly shedCalls = this.counter(
    'shed_calls_total',
    'Calls that were answered with no work because there were too many',
  );
  readonly refusedJobSets = this.counter(
    'refused_job_sets_total',
    'Job sets that were asked about and are not followed because there are too many',
  );
  readonly polls = this.counter('polls_total', 'Polls answered', ['api', 'answer']);
  readonly forwardedCalls = this.counter(
    'forwarded_calls_total',
    'Calls that were forwarded to Armada and have ended, those refused here included',
    ['service', 'code'],
  );
  readonly learnFailures = this.counter(
    'learn_failures_total',
    'Forwarded submits from which not all was learned',
  );
  readonly forwardedWatches = this.gauge('forwarded_watches', 'Forwarded watches that are open now');
  readonly jobsApiCalls = this.counter('jobs_api_calls_total', 'Calls of api.Jobs answered', [
    'method',
    'code',
  ]);
  readonly pollSeconds = new Histogram({
    name: `${PREFIX}poll_seconds`,
    help: 'Time from a poll to its answer; first polls of a job set wait for Armada',
    buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1, 2.5],
    registers: [this.registry],
  });

  constructor() {
    collectDefaultMetrics({ register: this.registry });
  }

  private counter<L extends string = never>(name: string, help: string, labelNames: L[] = []): Counter<L> {
    return new Counter({ name: PREFIX + name, help, labelNames, registers: [this.registry] });
  }

  private gauge(name: string, help: string): Gauge {
    return new Gauge({ name: PREFIX + name, help, registers: [this.registry] });
  }
}
