import { withoutTls } from '@ajs/armada-credentials';
import type { ArmadaPermissions } from '@ajs/auth';
import { JobSetRequest } from '@ajs/contracts/api/event';
import { JobServiceService, type JobServiceRequest } from '@ajs/contracts/jobservice/jobservice';
import { QueryMetrics } from '@ajs/observability';
import { Metadata, status } from '@grpc/grpc-js';
import { connect, type ClientHttp2Session, type ClientHttp2Stream } from 'node:http2';
import { connect as connectTcp, createServer, type AddressInfo, type Socket } from 'node:net';
import { GrpcServer } from '../../grpc/grpc-server.js';
import { FREE_PORT, PLAIN } from '../../grpc/testing/grpc-test-options.js';
import { publicMethod } from '../../grpc/unary-method.js';
import { RpcError } from '../../rpc-error.js';
import type { ExchangeObserver } from '../forwarded-call.js';
import { PassThrough } from '../pass-through.js';
import type { Access } from '../../access/access.js';
import { WatchPermissions } from '../watch-permissions.js';
import { RawClient, RawServer, type RawServerCall } from './raw-calls.js';

export const SUBMIT = '/api.Submit/SubmitJobs';
/** Of a forwarded service, and of no version that this repository knows. */
export const NEW_METHOD = '/api.Submit/ThatNobodyKnows';
export const LEASE = '/api.Executor/LeaseJobRuns';
export const EVENTS = '/api.Event/GetJobSetEvents';
export const WATCH = '/api.Event/Watch';
export const MEBIBYTE = 1024 * 1024;
export const MAX_CALLS = 5;
export const HELLO = Buffer.from('hello');

const CHECK_EVERY_MS = 20;

const getJobStatus = publicMethod(
  JobServiceService.getJobStatus,
  MEBIBYTE,
  ({ jobId }: JobServiceRequest) => {
    throw new RpcError(status.NOT_FOUND, jobId.slice(0, 9));
  },
);

/** Sends back what comes, and ends when the caller does. */
export function echo(call: RawServerCall): void {
  call.on('data', (message: Buffer) => call.write(message));
  call.on('end', () => call.end());
}

/** The first message of a read of events, or of a watch. */
export function readRequest(watch: boolean): Buffer {
  const request = { queue: 'q', id: 's', watch, fromMessageId: '', errorIfMissing: false };
  return Buffer.from(JobSetRequest.encode(request).finish());
}

export function withHeaders(headers: Record<string, string>): Metadata {
  const metadata = new Metadata();
  for (const [key, value] of Object.entries(headers)) metadata.set(key, value);
  return metadata;
}

/** A query's gRPC port that forwards to an Armada of raw calls, with a client. Armada echoes unless told otherwise. */
export class PassThroughHarness {
  mayWatch: ArmadaPermissions['mayWatch'] = () => Promise.resolve('yes');
  /** Each call is another caller's, unless a test says otherwise. */
  keyOf: Access['keyOf'] = () => `caller ${this.callers++}`;
  readonly observers = new Map<string, ExchangeObserver>();
  metrics = new QueryMetrics();
  client!: RawClient;
  server!: GrpcServer;
  private passThrough!: PassThrough;
  private callers = 0;
  private session: ClientHttp2Session | undefined;
  private address = '';

  private constructor(
    readonly armada: RawServer,
    public armadaAddress: string,
  ) {}

  static async start(): Promise<PassThroughHarness> {
    const paths = [SUBMIT, NEW_METHOD, LEASE, EVENTS, WATCH, '/api.Jobs/GetJobStatus', '/api.Node/X'];
    const armada = new RawServer(paths);
    armada.answer = echo;
    const harness = new PassThroughHarness(armada, await armada.listen());
    await harness.serve();
    return harness;
  }

  async stop(): Promise<void> {
    this.client.close();
    this.session?.destroy();
    this.armada.stop();
    await this.server.stop();
    this.passThrough.close();
  }

  /** Starts the query's port anew, with Armada at another address. */
  async restart(armadaAddress: string): Promise<void> {
    this.client.close();
    await this.server.stop();
    this.passThrough.close();
    this.armadaAddress = armadaAddress;
    await this.serve();
  }

  /** Starts anew with a relay before Armada. Resolves to its connections, to be cut. */
  async restartBehindRelay(): Promise<ReadonlySet<Socket>> {
    const [host, port] = this.armadaAddress.split(':');
    const sockets = new Set<Socket>();
    const relay = createServer((socket) => {
      const onward = connectTcp(Number(port), host);
      for (const end of [socket, onward]) sockets.add(end.on('error', () => undefined));
      socket.pipe(onward).pipe(socket);
    });
    await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', resolve));
    relay.unref();
    await this.restart(`127.0.0.1:${(relay.address() as AddressInfo).port}`);
    return sockets;
  }

  /** Replaces the client by one that compresses. */
  compressWith(algorithm: number): void {
    this.client.close();
    this.client = new RawClient(this.address, { 'grpc.default_compression_algorithm': algorithm });
  }

  /** The call that Armada got as its nth. */
  received(n: number): RawServerCall {
    const call = this.armada.calls[n];
    if (call === undefined) throw new Error(`Armada has got no call ${n}`);
    return call;
  }

  /** Ended calls by service and code, as the metric counts them. */
  async endedCalls(): Promise<Record<string, number>> {
    const { values } = await this.metrics.forwardedCalls.get();
    return Object.fromEntries(values.map(({ labels, value }) => [`${labels.service} ${labels.code}`, value]));
  }

  /** How many calls the metric has the duration of. */
  async measuredCalls(): Promise<number> {
    const { values } = await this.metrics.callSeconds.get();
    const count = values.find(({ metricName }) => metricName?.endsWith('_count'));
    if (count !== undefined) expect(count.labels).toEqual({ api: 'forwarded' });
    return count?.value ?? 0;
  }

  /** The time of all calls together, as the metric has it. */
  async measuredSeconds(): Promise<number | undefined> {
    const { values } = await this.metrics.callSeconds.get();
    return values.find(({ metricName }) => metricName?.endsWith('_sum'))?.value;
  }

  async openWatches(): Promise<number> {
    return (await this.metrics.forwardedWatches.get()).values[0]?.value ?? 0;
  }

  /** A call by a client of plain HTTP/2: it sets any header, and reads nothing before a test has it read. */
  http2Call(headers: Record<string, string> = {}): ClientHttp2Stream {
    this.session = connect(`http://${this.address}`);
    const stream = this.session.request({
      ':method': 'POST',
      ':path': SUBMIT,
      'content-type': 'application/grpc',
      te: 'trailers',
      ...headers,
    });
    stream.end(Buffer.from([0, 0, 0, 0, 0]));
    return stream;
  }

  private async serve(): Promise<void> {
    this.metrics = new QueryMetrics();
    const permissions = {
      mayWatch: (authorization: string | undefined, queue: string) => this.mayWatch(authorization, queue),
    };
    this.passThrough = new PassThrough({
      transport: withoutTls(this.armadaAddress),
      services: ['api.Submit', 'api.Executor', 'api.Event'],
      maxRequestBytes: 4 * MEBIBYTE,
      maxResponseBytes: 4 * MEBIBYTE,
      maxWatches: 2,
      maxCalls: MAX_CALLS,
      watchPermissions: new WatchPermissions(permissions, CHECK_EVERY_MS),
      observers: this.observers,
      metrics: this.metrics,
    });
    this.server = new GrpcServer(
      { methods: [getJobStatus], passThrough: this.passThrough },
      { ...PLAIN, access: { ...PLAIN.access, keyOf: (who) => this.keyOf(who) } },
    );
    this.address = `127.0.0.1:${await this.server.listen(FREE_PORT)}`;
    this.client = new RawClient(this.address);
  }
}
