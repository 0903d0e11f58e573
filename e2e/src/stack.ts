import { JobServiceResponse_State, JobServiceService } from '@ajs/contracts/jobservice/jobservice';
import type { JobSetKey } from '@ajs/job-state';
import { FakeArmada, RedisServer, unary, type UnaryOptions } from '@ajs/testing';
import { Client, credentials, type Metadata } from '@grpc/grpc-js';
import { AppProcess } from './app-process.js';
import type { App } from './patched-build.js';
import { patiently } from './patiently.js';

export interface LegacyAnswer {
  readonly state: keyof typeof JobServiceResponse_State;
  readonly error: string;
  readonly trailers: Metadata;
}

/** A query, and how to call it. */
export interface RunningQuery {
  readonly app: AppProcess;
  readonly client: Client;
  /** Of its HTTP port. */
  readonly http: string;
  /** `host:port` */
  readonly grpc: string;
}

type Env = Readonly<Record<string, string>>;

/** Redis, a fake Armada in this process, and built applications as processes of their own. */
export class Stack {
  readonly armada = new FakeArmada({ stepMs: 100 });
  armadaAddress = '';
  private readonly apps: AppProcess[] = [];
  private readonly clients: Client[] = [];

  private constructor(
    readonly redis: { readonly url: string; stop(): Promise<void> },
    private readonly env: Env,
  ) {}

  /** @param redis is stopped with the stack; a private server where it is left out */
  static async start(env: Env = {}, redis?: { readonly url: string; stop(): Promise<void> }): Promise<Stack> {
    const stack = new Stack(redis ?? (await RedisServer.start()), env);
    stack.armadaAddress = await stack.armada.listen('127.0.0.1:0');
    return stack;
  }

  /** @param bundle another build than that in dist */
  async ingester(env: Env = {}, bundle?: string): Promise<AppProcess> {
    return this.run('ingester', env, bundle);
  }

  /**
   * A query with a client of its own.
   *
   * @param bundle another build than that in dist
   */
  async query(env: Env = {}, bundle?: string): Promise<RunningQuery> {
    const app = await this.run('query', env, bundle);
    const { grpcPort } = await app.logged('started');
    const { http } = await app.logged('health and metrics are served');
    const host = this.envOf(env)['QUERY_GRPC_ADDRESS']?.split(':')[0] ?? '';
    const grpc = `${host}:${String(grpcPort)}`;
    const client = new Client(grpc, credentials.createInsecure());
    this.clients.push(client);
    return { app, client, http: `http://${String(http)}`, grpc };
  }

  /** The environment that an application is started with. */
  envOf(env: Env = {}): Env {
    return {
      ARMADA_URL: this.armadaAddress,
      REDIS_URL: this.redis.url,
      AUTH_MODE: 'anonymous',
      QUERY_GRPC_ADDRESS: '127.0.0.1:0',
      QUERY_HTTP_ADDRESS: '127.0.0.1:0',
      INGESTER_HTTP_ADDRESS: '127.0.0.1:0',
      // Longer than a job set takes to be read first, on a machine that is busy with other work as well.
      FIRST_POLL_WAIT: '30s',
      ...this.env,
      ...env,
    };
  }

  async stop(): Promise<void> {
    for (const client of this.clients) client.close();
    // Whatever stays would keep the test runner from ending.
    try {
      await Promise.all(this.apps.map((app) => app.kill()));
    } finally {
      this.armada.stop();
      await this.redis.stop();
    }
  }

  private async run(name: App, env: Env, bundle = `dist/apps/${name}/main.js`): Promise<AppProcess> {
    const app = new AppProcess(bundle, this.envOf(env));
    this.apps.push(app);
    await app.logged('started');
    return app;
  }
}

/** Whether Redis did not answer the query within a second. */
export const isRedisTooLate = ({ error }: LegacyAnswer): boolean => error.startsWith('Redis is unavailable');

/** Polls again where a busy machine kept Redis from answering the query in time. Rejects as a poll does. */
export async function pollCalmly(
  client: Client,
  key: JobSetKey,
  jobId: string,
  options?: UnaryOptions,
): Promise<LegacyAnswer> {
  const { polled } = await patiently('Redis answers in time', async () => {
    const once = poll(client, key, jobId, options);
    const isTooLate = await once.then(isRedisTooLate, () => false);
    return !isTooLate && { polled: once };
  });
  return polled;
}

const STATES = Object.keys(JobServiceResponse_State) as LegacyAnswer['state'][];

/** Polls as the older operator does. */
export async function poll(
  client: Client,
  { queue, jobSetId }: JobSetKey,
  jobId: string,
  options: UnaryOptions = {},
): Promise<LegacyAnswer> {
  const { answer, trailers } = await unary(
    client,
    JobServiceService.getJobStatus,
    { queue, jobSetId, jobId },
    options,
  );
  const state = STATES.find((name) => JobServiceResponse_State[name] === answer.state);
  if (state === undefined) throw new Error(`${answer.state} is not a state`);
  return { state, error: answer.error, trailers };
}
