import { JobState } from '@ajs/contracts/api/submit';
import { armadaJob, freePort, jobEvents, type ArmadaJob } from '@ajs/testing';
import { Client, credentials } from '@grpc/grpc-js';
import { jobIdFor } from '../job-ids.js';
import type { App } from '../patched-build.js';
import { patiently } from '../patiently.js';
import { Stack, pollCalmly } from '../stack.js';
import { JOB, QUEUE } from '../traffic.js';
import { Pods } from './pods.js';
import { Pollers, type Clients } from './pollers.js';
import { Pulse } from './pulse.js';
import { Service } from './service.js';

/** A tenth of what the charts have and of what gRPC clients do by default. */
const PRE_STOP_MS: Readonly<Record<App, number>> = { query: 3_500, ingester: 0 };
const RESOLVE_MS = 3_000;
/** Short, so that each client connects anew some times; long for a machine that is busy, where a connection must be used before it is old. */
const MAX_CONNECTION_AGE = '10s';

/** So many that each of four ingesters gets some: three of them may hold two more than their share, and no more. */
const PULSING = Array.from({ length: 32 }, (_, n) => `pulsing-${n}`);
const STEADY = { queue: QUEUE, jobSetId: 'steady' };
/** Says that a pod works. */
const METRIC: Readonly<Record<App, string>> = { query: 'legacy_polls_total', ingester: 'assignments' };

/** Both Deployments, with callers of each kind. */
export class Cluster {
  readonly pods: Readonly<Record<App, Pods>>;
  readonly pulse: Pulse;
  /** They run until {@link endJobs}. */
  private readonly steady = Array.from({ length: 20 }, (_, n) =>
    armadaJob({ ...STEADY, jobId: jobIdFor(`steady ${n}`) }),
  );
  private readonly client: Client;
  private pollers: Pollers | undefined;

  private constructor(
    private readonly stack: Stack,
    private readonly service: Service,
    podPort: number,
  ) {
    let queries = 0;
    const startQuery = async (bundle: string | undefined) => {
      const host = `127.0.1.${++queries}`;
      const env = { QUERY_GRPC_ADDRESS: `${host}:${podPort}`, QUERY_MAX_CONNECTION_AGE: MAX_CONNECTION_AGE };
      const { app, http } = await stack.query(env, bundle);
      return { app, http, join: () => service.add(host), leave: () => service.remove(host) };
    };
    const startIngester = async (bundle: string | undefined) => {
      const app = await stack.ingester({}, bundle);
      const { http } = await app.logged('health and metrics are served');
      return { app, http: `http://${String(http)}` };
    };
    this.pods = {
      query: new Pods(startQuery, PRE_STOP_MS.query),
      ingester: new Pods(startIngester, PRE_STOP_MS.ingester),
    };
    this.client = new Client(service.clusterIp, credentials.createInsecure());
    this.pulse = new Pulse(stack.armada, this.client, PULSING);
  }

  /** One pod of each, which callers poll. */
  static async start(clients: Clients): Promise<Cluster> {
    const podPort = await freePort('127.0.1.1');
    const cluster = new Cluster(await Stack.start(), await Service.of(podPort), podPort);
    try {
      await cluster.scale(1);
      await cluster.move('RUNNING', (job) => [
        ...jobEvents.submitted(job, JOB),
        ...jobEvents.running(job, JOB),
      ]);
      cluster.pulse.start();
      await cluster.pulse.gapMs();
      const { clusterIp, headless } = cluster.service;
      const jobIds = cluster.steady.map(({ jobId }) => jobId);
      const targets = { service: clusterIp, headless, resolveMs: RESOLVE_MS };
      cluster.pollers = new Pollers(clients, targets, { ...STEADY, jobIds });
      return cluster;
    } catch (error) {
      await cluster.stop();
      throw error;
    }
  }

  /** Both Deployments at once. */
  async scale(replicas: number): Promise<void> {
    await Promise.all([this.pods.query.scale(replicas), this.pods.ingester.scale(replicas)]);
  }

  /** Waits until every query has answered polls, and every ingester follows job sets. */
  async areAllBusy(): Promise<void> {
    for (const app of ['query', 'ingester'] as const) {
      const works = new RegExp(`^armada_job_service_${METRIC[app]}(\\{.*\\})? [1-9]`, 'm');
      for (const { http } of this.pods[app].all) {
        await patiently(`${METRIC[app]} of ${http} are above 0`, async () =>
          works.test(await (await fetch(`${http}/metrics`)).text()),
        );
      }
    }
  }

  /** Rejects if a poll had no answer or a wrong one, since the start. */
  async pollOn(): Promise<void> {
    await this.pollers?.pollOn();
    expect(this.pulse.failed).toEqual([]);
  }

  /** Ends the jobs that callers poll, and waits until the service says so. */
  async endJobs(): Promise<void> {
    await this.pollers?.stop();
    this.pollers = undefined;
    await this.move('SUCCEEDED', (job) => jobEvents.succeeded(job));
  }

  async stop(): Promise<void> {
    try {
      await this.pulse.stop();
      await this.pollers?.stop();
    } finally {
      this.client.close();
      this.service.stop();
      await this.stack.stop();
    }
  }

  private async move(
    state: 'RUNNING' | 'SUCCEEDED',
    events: (job: ArmadaJob) => Parameters<Stack['armada']['state']['move']>[2],
  ): Promise<void> {
    for (const job of this.steady) this.stack.armada.state.move(job, JobState[state], events(job));
    for (const job of this.steady) {
      const isMoved = async () => (await pollCalmly(this.client, STEADY, job.jobId)).state === state;
      await patiently(`${job.jobId} is ${state}`, isMoved);
    }
  }
}
