import type { ArmadaClient } from '@ajs/armada-client';
import type { Settings } from '@ajs/config';
import { JobServiceResponse_State } from '@ajs/contracts/jobservice/jobservice';
import {
  BoundedCache,
  RedisJobLister,
  RedisJobSetLife,
  createRedisClient,
  keyTtlSeconds,
  type ClientRole,
  type RedisClient,
} from '@ajs/job-store';
import { logConnection, within, type Log, type Metrics } from '@ajs/observability';
import { formatKey } from '@ajs/redis-keys';
import { AskSender, Demand, Interest, WorkQueue } from '@ajs/subscriptions';
import { ArmadaHealth } from './legacy-api/armada-health.js';
import { CoalescedLister } from './coalesced-lister.js';
import { GrpcServer } from './grpc/grpc-server.js';
import { JobStatusQuery } from './legacy-api/job-status-query.js';
import { legacyJobService } from './legacy-api/legacy-job-service.js';
import { PassThrough } from './pass-through/pass-through.js';

export interface AnsweringOptions {
  readonly settings: Settings;
  readonly armada: ArmadaClient;
  readonly log: Log;
  readonly metrics: Metrics;
}

const LAST_NOTES_MS = 500;

/** Everything this replica does, put together: answers from Redis, notes interest aside. */
export class Answering {
  private readonly clients: RedisClient[] = [];
  private readonly reader: RedisClient;
  private readonly workQueue: WorkQueue;
  private readonly interest: Interest;
  private readonly passThrough: PassThrough | undefined;
  private readonly server: GrpcServer;

  constructor(private readonly options: AnsweringOptions) {
    const { settings, armada, metrics } = options;
    const answers = Object.fromEntries(
      Object.entries(JobServiceResponse_State).map(([name, state]) => [
        state,
        metrics.polls.labels('legacy', name),
      ]),
    ) as Record<JobServiceResponse_State, ReturnType<typeof metrics.polls.labels>>;
    this.reader = this.connect('reader');
    logConnection(this.reader, options.log);
    const onError = (error: Error): void => this.redisFailed(error);
    this.workQueue = new WorkQueue(this.connect('work-queue'), onError);
    this.interest = new Interest({
      demand: new Demand(this.reader),
      life: new RedisJobSetLife(this.reader, keyTtlSeconds(settings.deleteAfterPollMs)),
      workQueue: this.workQueue,
      onError,
    });
    const asks = new AskSender(this.reader);
    const query = new JobStatusQuery({
      lister: new CoalescedLister(new RedisJobLister(this.reader)),
      noteInterest: (key, tag) => this.interest.note(key, tag),
      askForRead: (key) => void asks.send(key).catch(onError),
      endedJobs: new BoundedCache(settings.terminalCacheJobs),
      waitMs: settings.firstPollWaitMs,
    });
    this.passThrough = settings.passThrough ? passThroughOf(options) : undefined;
    const armadaHealth = new ArmadaHealth(() => armada.health());
    this.server = new GrpcServer(
      legacyJobService({
        query,
        armadaIsHealthy: () => armadaHealth.isHealthy(),
        answered: (state, seconds) => {
          answers[state].inc();
          metrics.pollSeconds.observe(seconds);
        },
        redisFailed: onError,
      }),
      this.passThrough,
    );
  }

  /** Resolves to the port that gRPC listens on. */
  async start(): Promise<number> {
    return this.server.listen(this.options.settings.queryGrpcAddress.text);
  }

  /** Finishes the calls that run, writes the interest they noted, and lets go of Redis. */
  async stop(): Promise<void> {
    await this.server.stop();
    this.passThrough?.close();
    // While Redis is away there is nowhere to write it: the next poll notes it again.
    await within(
      LAST_NOTES_MS,
      this.interest.settled().then(() => this.workQueue.close()),
    );
    for (const client of this.clients) client.disconnect();
  }

  /** Rejects where Redis does not answer. */
  async checkRedis(): Promise<void> {
    await this.reader.exists(formatKey({ kind: 'replicas' }));
  }

  private connect(role: ClientRole): RedisClient {
    const client = createRedisClient(this.options.settings.redis, role, (error) => this.redisFailed(error));
    this.clients.push(client);
    return client;
  }

  /** Counted, and no line a poll: readiness and the metric tell of it. */
  private redisFailed(error: Error): void {
    this.options.metrics.redisErrors.inc();
    this.options.log.debug({ err: error }, 'Redis does not do what it is asked');
  }
}

function passThroughOf({ settings, metrics }: AnsweringOptions): PassThrough {
  return new PassThrough({
    address: settings.armadaAddress.text,
    services: settings.forwardedServices,
    largestRequestBytes: settings.largestForwardedRequestBytes,
    largestAnswerBytes: settings.largestMessageBytes,
    mostWatches: settings.maxForwardedWatches,
    observers: new Map(),
    metrics,
  });
}
