import { completesWithin } from '@ajs/platform';
import { LRUCache } from 'lru-cache';
import { rejectedConnections } from '@ajs/runtime';
import {
  PermissionProbe,
  createForwardingChannels,
  type ArmadaClient,
  type ChannelPool,
} from '@ajs/armada-client';
import type { ArmadaTransport } from '@ajs/armada-credentials';
import { createAuthorizer } from '@ajs/auth';
import type { Settings } from '@ajs/config';
import { JobServiceResponse_State } from '@ajs/contracts/jobservice/jobservice';
import type { JobSetKey } from '@ajs/job-state';
import {
  RedisProvisionalJobSink,
  RedisJobLister,
  RedisJobSetLife,
  createRedisClient,
  redisErrorKind,
  isReady,
  keyTtlSeconds,
  type ClientRole,
  type RedisClient,
} from '@ajs/job-store';
import { logConnection, type Log, type Metrics } from '@ajs/observability';
import { formatKey } from '@ajs/redis-keys';
import { ReadRequestSender, InterestStore, InterestRecorder, WorkQueue } from '@ajs/subscriptions';
import { status } from '@grpc/grpc-js';
import { Access } from './access/access.js';
import { UNRESTRICTED } from './access/job-rights.js';
import { ArmadaHealth } from './legacy-api/armada-health.js';
import { callerId, type Caller } from './caller.js';
import { CoalescedLister } from './coalesced-lister.js';
import { GrpcServer, type GrpcServices } from './grpc/grpc-server.js';
import { HttpCalls } from './http-api/http-calls.js';
import { Admission } from './load/admission.js';
import { CachedJobsApi } from './jobs-api/cached-jobs-api.js';
import { jobsService, type JobsServiceOptions } from './jobs-api/jobs-service.js';
import { JobStatusQuery } from './legacy-api/job-status-query.js';
import { legacyJobService } from './legacy-api/legacy-job-service.js';
import { SUBMIT_JOBS, recordSubmits } from './submitted-jobs/submit-recorder.js';
import type { ExchangeObserver } from './pass-through/forwarded-call.js';
import { PassThrough } from './pass-through/pass-through.js';
import type { ServerTls } from './server-tls/server-tls.js';
import { WatchRights } from './pass-through/watch-rights.js';

export interface AnsweringOptions {
  readonly settings: Settings;
  /** Where settings say that a password is. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly armada: ArmadaClient;
  /** For what is asked of Armada with callers' credentials: not as us. */
  readonly transport: ArmadaTransport;
  /** Of our own port; `undefined`: plaintext. */
  readonly tls: ServerTls | undefined;
  readonly log: Log;
  readonly metrics: Metrics;
}

const LAST_NOTES_MS = 500;
/** A start waits for Redis so long, and goes on without it. */
const FIRST_CONTACT_MS = 3_000;
/** What Armada sends to one who may watch, and asks from the far end, is nothing. Bytes. */
const LARGEST_VERDICT_BYTES = 64 * 1024;

/** Everything this replica does, put together: answers from Redis, notes interest aside. */
export class Answering {
  private readonly clients: RedisClient[] = [];
  private readonly reader: RedisClient;
  private readonly workQueue: WorkQueue;
  private readonly interest: InterestRecorder;
  /** `api.Jobs` by HTTP. */
  readonly http: HttpCalls;
  private readonly verdictChannels: ChannelPool;
  private readonly passThrough: PassThrough | undefined;
  private readonly server: GrpcServer;

  constructor(private readonly options: AnsweringOptions) {
    const { settings, env, armada, transport, log, metrics } = options;
    const answers = Object.fromEntries(
      Object.entries(JobServiceResponse_State).map(([name, state]) => [
        state,
        metrics.polls.labels('legacy', name),
      ]),
    ) as Record<JobServiceResponse_State, ReturnType<typeof metrics.polls.labels>>;
    this.reader = this.connect('reader');
    logConnection(this.reader, log);
    const onError = (error: Error): void => this.redisFailed(error);
    this.verdictChannels = createForwardingChannels(transport, LARGEST_VERDICT_BYTES);
    const permissions = new PermissionProbe(this.verdictChannels);
    const authorizer = createAuthorizer({
      settings,
      env,
      armada: permissions,
      grants: armada.queueGrants,
      redis: this.reader,
      redisFailed: onError,
      warn: (text) => log.warn(text),
    });
    const admission = new Admission(
      { working: settings.maxConcurrentCalls, waiting: settings.maxWaitingCalls },
      () => metrics.shedCalls.inc(),
    );
    const needWatch = settings.jobsApiPermission === 'watch';
    const access = new Access({
      authorizer,
      jobsNeedWatch: needWatch && settings.authMode !== 'anonymous',
      queueNamesNeedWatch: needWatch && settings.authMode === 'local',
      waiting: (found) => admission.waiting(found),
    });
    this.workQueue = new WorkQueue(this.connect('work-queue'), onError);
    const ttlSeconds = keyTtlSeconds(settings.deleteAfterPollMs);
    this.interest = new InterestRecorder({
      interest: new InterestStore(this.reader),
      life: new RedisJobSetLife(this.reader, ttlSeconds),
      workQueue: this.workQueue,
      maxJobSets: settings.maxJobSets,
      maxNewJobSetsPerCaller: settings.maxNewJobSetsPerCaller,
      onRefused: () => metrics.rejectedJobSets.inc(),
      onError,
    });
    this.reader.on('ready', () => this.interest.invalidate());
    const asks = new ReadRequestSender(this.reader, this.workQueue);
    const lister = new CoalescedLister(new RedisJobLister(this.reader));
    const noteInterest = (key: JobSetKey, tag?: string, caller?: Caller): void =>
      this.interest.record(key, tag, caller && (() => callerId(caller, settings.authMode !== 'anonymous')));
    const pause = (ms: number): Promise<void> => admission.pause(ms);
    const query = new JobStatusQuery({
      lister,
      noteInterest,
      refusalOf: (tag) => this.interest.refusal(tag),
      requestRead: (key) => void asks.send(key).catch(onError),
      terminalJobs: new LRUCache({ max: settings.terminalCacheJobs }),
      waitMs: settings.firstPollWaitMs,
      pause,
    });
    const learner = new RedisProvisionalJobSink(this.reader, ttlSeconds);
    const jobs = new CachedJobsApi({
      access,
      lister,
      provisionalJobs: learner,
      armada: armada.jobs,
      noteInterest,
      terminalJobs: new LRUCache({ max: settings.terminalCacheJobs }),
      redisFailed: onError,
      maxJobIds: settings.maxJobIds,
      redisHoldMs: settings.redisRetryTimeoutMs,
      pause,
      provisionalGraceMs: settings.provisionalJobGraceMs,
    });
    const learn = recordSubmits({
      provisionalJobs: learner,
      // Armada let the caller submit them; nobody is told.
      resolve: (jobIds) => jobs.resolver.resolve(jobIds, UNRESTRICTED),
      noteInterest,
      failed: (error) => {
        metrics.submitRecordingFailures.inc();
        log.debug({ err: error }, 'not all was learned from a submit');
      },
    });
    this.passThrough = settings.passThrough
      ? passThroughOf(options, new WatchRights(permissions, settings.authVerdictTtlMs), learn)
      : undefined;
    const jobsCalls: JobsServiceOptions = {
      jobs,
      admission,
      answered: (method, code, seconds) => {
        metrics.jobsApiCalls.inc({ method, code: status[code] });
        metrics.pollSeconds.observe(seconds);
      },
      failed: (error) => log.error({ err: error }, 'a call of api.Jobs failed unforeseen'),
    };
    this.http = new HttpCalls(jobsCalls);
    const armadaHealth = new ArmadaHealth(() => armada.health());
    const services: GrpcServices = {
      legacy: legacyJobService({
        access,
        admission,
        query,
        armadaIsHealthy: () => armadaHealth.isHealthy(),
        answered: (state, seconds) => {
          answers[state].inc();
          metrics.pollSeconds.observe(seconds);
        },
        refused: (code) => metrics.polls.inc({ api: 'legacy', answer: status[code] }),
        redisFailed: onError,
      }),
      jobs: jobsService(jobsCalls),
      passThrough: this.passThrough,
    };
    const mostConnections = settings.queryMaxConnections;
    this.server = new GrpcServer(services, {
      tls: options.tls,
      mostConnections,
      maxAgeMs: settings.queryMaxConnectionAgeMs,
      refused: rejectedConnections('grpc', mostConnections, options.log, metrics),
    });
  }

  /** Resolves to the port that gRPC listens on. The first callers would else be told that Redis is away, before it was asked. */
  async start(): Promise<number> {
    await completesWithin(FIRST_CONTACT_MS, isReady(this.reader));
    return this.server.listen(this.options.settings.queryGrpcAddress);
  }

  /** Finishes the calls that run, writes the interest they noted, and lets go of Redis. */
  async stop(): Promise<void> {
    await Promise.all([this.server.stop(), this.http.stop()]);
    this.passThrough?.close();
    this.verdictChannels.close();
    // While Redis is away there is nowhere to write it: the next poll notes it again.
    await completesWithin(
      LAST_NOTES_MS,
      this.interest.flushed().then(() => this.workQueue.close()),
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
    this.options.metrics.redisErrors.inc({ cause: redisErrorKind(error) });
    this.options.log.debug({ err: error }, 'Redis does not do what it is asked');
  }
}

function passThroughOf(
  { settings, transport, metrics }: AnsweringOptions,
  watchRights: WatchRights,
  learn: ExchangeObserver,
): PassThrough {
  return new PassThrough({
    transport,
    services: settings.forwardedServices,
    largestRequestBytes: settings.maxForwardedRequestBytes,
    largestAnswerBytes: settings.maxMessageBytes,
    mostWatches: settings.maxForwardedWatches,
    mostCalls: settings.maxForwardedCalls,
    watchRights,
    observers: new Map([[SUBMIT_JOBS, learn]]),
    metrics,
  });
}
