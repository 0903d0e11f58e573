import { createServer } from 'node:net';
import { HealthCheckResponse_ServingStatus, JobServiceService } from '@ajs/contracts/jobservice/jobservice';
import { RedisServer, jobEvents, unary } from '@ajs/testing';
import { credentials, loadPackageDefinition, type ServiceClientConstructor } from '@grpc/grpc-js';
import { loadFileDescriptorSetFromBuffer, loadSync } from '@grpc/proto-loader';
import { createRedisClient, isReady } from '@ajs/job-store';
import { InterestStore } from '@ajs/subscriptions';
import { protoPath as healthProto } from 'grpc-health-check';
import { AppProcess } from './app-process.js';
import { patiently } from './patiently.js';
import { Stack, poll } from './stack.js';
import { JOB } from './traffic.js';

const ARMADA_UNAVAILABLE = 'Armada is unavailable; known jobs keep their last state until it is back';

let stack: Stack;

const apps: AppProcess[] = [];
afterEach(() => Promise.all(apps.splice(0).map((app) => app.kill())));

function run(...args: ConstructorParameters<typeof AppProcess>): AppProcess {
  const app = new AppProcess(...args);
  apps.push(app);
  return app;
}

beforeAll(async () => {
  stack = await Stack.start();
}, 120_000);
afterAll(() => stack.stop());

/** A dynamic client, as tools without generated stubs use it. */
function serviceOf(proto: string, name: string): ServiceClientConstructor {
  const loaded = loadPackageDefinition(loadSync(proto, { keepCase: true, enums: String, defaults: true }));
  return name
    .split('.')
    .reduce<unknown>((at, part) => (at as Record<string, unknown>)[part], loaded) as ServiceClientConstructor;
}

const Health = serviceOf(healthProto, 'grpc.health.v1.Health');
const Reflection = serviceOf(
  'node_modules/@grpc/reflection/build/proto/grpc/reflection/v1/reflection.proto',
  'grpc.reflection.v1.ServerReflection',
);

interface ReflectionAnswer {
  readonly list_services_response?: { readonly service: { readonly name: string }[] };
  readonly file_descriptor_response?: { readonly file_descriptor_proto: Buffer[] };
}

function reflect(address: string, request: object): Promise<ReflectionAnswer> {
  const client = new Reflection(address, credentials.createInsecure());
  return new Promise<ReflectionAnswer>((resolve, reject) => {
    const call = (
      client as unknown as { ServerReflectionInfo(): NodeJS.ReadWriteStream }
    ).ServerReflectionInfo();
    call.on('data', (answer: ReflectionAnswer) => {
      resolve(answer);
      call.end();
    });
    call.on('error', reject);
    call.write(request as never);
  }).finally(() => client.close());
}

describe('the query', () => {
  it('describes its services by reflection, with every type they refer to', async () => {
    const { grpc } = await stack.query();
    const { list_services_response: list } = await reflect(grpc, { list_services: '' });
    expect(list?.service.map(({ name }) => name).sort()).toEqual([
      'api.Jobs',
      'grpc.health.v1.Health',
      'jobservice.JobService',
      'jobservice.v2.JobStatusService',
    ]);
    for (const symbol of ['jobservice.JobService', 'api.Jobs', 'grpc.health.v1.Health']) {
      const { file_descriptor_response: files } = await reflect(grpc, { file_containing_symbol: symbol });
      const bytes = files?.file_descriptor_proto ?? [];
      // grpcurl can use a set of files that loads on its own.
      const set = Buffer.concat(bytes.flatMap((file) => [Buffer.of(10), varint(file.length), file]));
      expect(Object.keys(loadFileDescriptorSetFromBuffer(set))).toContain(symbol);
    }
  }, 120_000);

  it('answers the legacy Health as SERVING while Armada is healthy', async () => {
    const { client } = await stack.query();
    const health = () => unary(client, JobServiceService.health, {});
    expect((await health()).answer.status).toBe(HealthCheckResponse_ServingStatus.SERVING);
    stack.armada.faults.set({ unavailable: true });
    await patiently(
      'Health is NOT_SERVING',
      async () => (await health()).answer.status === HealthCheckResponse_ServingStatus.NOT_SERVING,
    );
    stack.armada.faults.set({});
    await patiently(
      'Health is SERVING again',
      async () => (await health()).answer.status === HealthCheckResponse_ServingStatus.SERVING,
    );
  }, 120_000);

  it('reports NOT_SERVING on SIGTERM, finishes running calls, and exits with 0', async () => {
    const { app, client, grpc } = await stack.query({ FIRST_POLL_WAIT: '2s' });
    const health = new Health(grpc, credentials.createInsecure());
    const statuses: string[] = [];
    const watch = (health as unknown as { watch(request: object): NodeJS.ReadableStream }).watch({
      service: '',
    });
    watch.on('data', ({ status: next }: { status: string }) => statuses.push(next));
    watch.on('error', () => undefined);
    await patiently('it reports SERVING', () => statuses.includes('SERVING'));
    // It waits, since the queue does not exist; the interest that it leaves in Redis shows that it has arrived.
    const key = { queue: 'nope', jobSetId: 'while-stopping' };
    const answer = poll(client, key, 'x');
    const redis = createRedisClient({ kind: 'single', url: stack.redis.url }, 'reader', () => undefined);
    await isReady(redis);
    await patiently(
      'the poll has arrived',
      async () => (await new InterestStore(redis).age(key)) !== undefined,
    );
    redis.disconnect();
    app.signal('SIGTERM');
    await patiently('it reports NOT_SERVING', () => statuses.includes('NOT_SERVING'));
    expect((await answer).state).toBe('CONNECTION_ERR');
    expect(await app.ended()).toBe(0);
    expect(app.logs.map(({ msg }) => msg).slice(-2)).toEqual(['stopping', 'stopped']);
    health.close();
  }, 120_000);

  it('logs each step of its life as JSON with a level, and no poll', async () => {
    const { app, client } = await stack.query({ FIRST_POLL_WAIT: '0ms' });
    for (let i = 0; i < 50; i++) await poll(client, { queue: 'nope', jobSetId: 's' }, 'x');
    expect(app.logs.map(({ level, msg }) => `${level} ${msg}`).sort()).toEqual([
      'info connected to Redis',
      'info health and metrics are served',
      'info started',
      'warn AUTH_MODE is anonymous: anyone who can reach this process can read the state of every job',
    ]);
    expect(app.output).toBe('');
  }, 120_000);
});

describe('a query that starts before Redis answers', () => {
  it('accepts calls only once it is connected, so that its first callers get no error', async () => {
    const redis = await RedisServer.start();
    try {
      process.kill(redis.pid, 'SIGSTOP');
      const app = run('dist/apps/query/main.js', stack.envOf({ REDIS_URL: redis.url }));
      await app.logged('health and metrics are served');
      process.kill(redis.pid, 'SIGCONT');
      await app.logged('started');
      expect(app.logs.map(({ msg }) => msg).slice(-2)).toEqual(['connected to Redis', 'started']);
    } finally {
      await redis.stop();
    }
  }, 120_000);
});

describe('a query with settings that only it reads', () => {
  it.each([
    ['started', []],
    ['tried', ['--check-config']],
  ])(
    'names those that are invalid when it is %s',
    async (_, args) => {
      const files = { QUERY_TLS_CERT_FILE: '/not/there.crt', QUERY_TLS_KEY_FILE: '/not/there.key' };
      const app = run('dist/apps/query/main.js', stack.envOf(files), args);
      expect(await app.ended()).toBe(2);
      expect(app.logs.map(({ msg }) => msg)).toEqual([
        expect.stringContaining(
          'invalid settings: QUERY_TLS_CERT_FILE is "/not/there.crt", which cannot be read',
        ),
      ]);
    },
    120_000,
  );
});

describe.each(['query', 'ingester'])('the %s', (name) => {
  const script = `dist/apps/${name}/main.js`;

  it('names every invalid setting and does not start', async () => {
    const app = run(script, stack.envOf({ REDIS_URL: 'http://x', LOG_LEVEL: 'loud' }));
    expect(await app.ended()).toBe(2);
    const texts = app.logs.map(({ msg }) => msg).sort();
    expect(texts).toHaveLength(2);
    expect(texts[0]).toContain('invalid settings: LOG_LEVEL (environment) is "loud"');
    expect(texts[1]).toContain('REDIS_URL (environment) is "http://x", but must be redis://');
  }, 120_000);

  it('prints its settings', async () => {
    const app = run(script, {}, ['--help']);
    expect(await app.ended()).toBe(0);
    expect(app.output).toContain('ARMADA_URL (default localhost:50051)');
  }, 120_000);

  it('tries its configuration, and says what does not work', async () => {
    const fine = run(script, stack.envOf(), ['--check-config']);
    expect(await fine.ended()).toBe(0);
    expect(fine.output).toMatch(/^ok {7}Redis rights/m);
    const away = run(script, stack.envOf({ ARMADA_URL: '127.0.0.1:1' }), ['--check-config']);
    expect(await away.ended()).toBe(1);
    expect(away.output).toMatch(/^failed {3}Armada .*127\.0\.0\.1:1/m);
  }, 180_000);

  it('names the address that is in use', async () => {
    const taken = createServer();
    const port = await new Promise<number>((resolve) => {
      taken.listen(0, '127.0.0.1', () => resolve((taken.address() as { port: number }).port));
    });
    const setting = `${name.toUpperCase()}_HTTP_ADDRESS`;
    const app = run(script, stack.envOf({ [setting]: `127.0.0.1:${port}` }));
    expect(await app.ended()).toBe(1);
    expect(JSON.stringify(app.logs)).toContain(`cannot listen for HTTP at 127.0.0.1:${port} (${setting})`);
    taken.close();
  }, 120_000);

  it('starts without Redis and Armada, is not ready, and exits with 0 on SIGTERM', async () => {
    const app = run(script, stack.envOf({ REDIS_URL: 'redis://127.0.0.1:1', ARMADA_URL: '127.0.0.1:1' }));
    const http = await patiently('HTTP answers', async () => {
      const address = httpOf(app);
      return address !== undefined && (await fetch(`${address}/healthz`)).ok && address;
    });
    const ready = await fetch(`${http}/readyz`);
    expect(ready.headers.get('x-powered-by')).toBeNull();
    expect(ready.status).toBe(503);
    expect(await ready.json()).toMatchObject({ ready: false });
    expect(await app.logged(ARMADA_UNAVAILABLE)).toMatchObject({ level: 'warn' });
    app.signal('SIGTERM');
    expect(await app.ended()).toBe(0);
  }, 120_000);

  it('warns of an Armada that does not answer, though nothing calls it yet', async () => {
    const silent = createServer();
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const { port } = silent.address() as { port: number };
    const app = run(script, stack.envOf({ ARMADA_URL: `127.0.0.1:${port}` }));
    await app.logged(ARMADA_UNAVAILABLE);
    silent.close();
  }, 120_000);
});

describe('the metrics of both processes', () => {
  it('are each its own: of calls to Armada, and of events and job sets or of callers', async () => {
    const key = { queue: 'measured', jobSetId: 's' };
    stack.armada.state.queues.add(key.queue);
    const log = stack.armada.state.openLog(key.queue, key.jobSetId);
    const ref = { ...key, jobId: '01m85vrgp7whz55kx8f03d6510' };
    const ingester = await stack.ingester();
    const query = await stack.query();
    const inState = (state: string) =>
      patiently(state, async () => (await poll(query.client, key, ref.jobId)).state === state);
    log.append(jobEvents.running(ref, JOB));
    await inState('RUNNING');
    log.append(jobEvents.succeeded(ref));
    await inState('SUCCEEDED');
    const { http } = await ingester.logged('health and metrics are served');
    const metricsOf = async (address: string): Promise<string> =>
      (await (await fetch(`${address}/metrics`)).text()).replaceAll('armada_job_service_', '');
    const swept = await patiently('the sweep has counted the job set', async () => {
      const text = await metricsOf(`http://${String(http)}`);
      return /^job_sets\{state="live"\} [1-9]/m.test(text) && text;
    });
    expect(swept).toMatch(/^event_lag_seconds_count [1-9]/m);
    expect(swept).toMatch(
      /^upstream_calls_total\{method="api.Event\/GetJobSetEvents",identity="own",code="OK"\} [1-9]/m,
    );
    expect(swept).not.toMatch(/shed_calls_total|legacy_polls_total/);
    const queried = await metricsOf(query.http);
    expect(queried).toMatch(/^call_duration_seconds_count\{api="legacy"\} [1-9]/m);
    expect(queried).toMatch(
      /^upstream_calls_total\{method="api.Event\/Health",identity="own",code="OK"\} 1$/m,
    );
    expect(queried).not.toMatch(/^# HELP (?:event_lag_seconds|job_sets|watches) /m);
  }, 180_000);
});

function varint(value: number): Buffer {
  const bytes: number[] = [];
  for (let left = value; ; left >>>= 7) {
    if (left < 128) return Buffer.from([...bytes, left]);
    bytes.push((left & 127) | 128);
  }
}

function httpOf(app: AppProcess): string | undefined {
  const line = app.logs.find(({ http }) => http !== undefined);
  return line && `http://${String(line['http'])}`;
}
