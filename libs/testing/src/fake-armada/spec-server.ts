import { EventService, EventStreamMessage, type JobSetRequest } from '@ajs/contracts/api/event';
import {
  SubmitService,
  type JobSubmitRequestItem,
  type JobSubmitResponseItem,
} from '@ajs/contracts/api/submit';
import { FaultServiceService, type SetFaultsRequest } from '@ajs/contracts/fakearmada/v1/faults';
import { Client, credentials, status, type ClientReadableStream, type ServiceError } from '@grpc/grpc-js';
import { eventually, submitItem, unary, type UnaryMethod } from '../index.js';
import { metadataOf } from '../unary.js';
import { FakeArmada, type FakeArmadaOptions } from './fake-armada.js';
import { NO_FAULTS } from './faults.js';

interface End {
  readonly code: status;
  readonly details: string;
}

interface Stream {
  /** The messages, still serialized. */
  readonly messages: Buffer[];
  readonly call: ClientReadableStream<Buffer>;
  end: End | undefined;
}

/** The kinds of events of a job that succeeds. */
export const LIFE = ['submitted', 'queued', 'leased', 'pending', 'running', 'succeeded'];

export const kindOf = (bytes: Buffer): string | undefined =>
  EventStreamMessage.decode(bytes).message?.events?.$case;
export const idOf = (bytes: Buffer): string => EventStreamMessage.decode(bytes).id;

/** A fake Armada with a queue `q`, and a client of it, for the specs of its services. */
export class SpecServer {
  readonly armada: FakeArmada;
  client!: Client;

  private constructor(options: FakeArmadaOptions) {
    this.armada = new FakeArmada({ stepMs: 1, eventDelayMs: [0, 0], ...options });
    this.armada.state.queues.add('q');
  }

  static async start(options: FakeArmadaOptions = {}): Promise<SpecServer> {
    const server = new SpecServer(options);
    server.client = new Client(await server.armada.listen('127.0.0.1:0'), credentials.createInsecure());
    return server;
  }

  stop(): void {
    this.client.close();
    this.armada.stop();
  }

  async call<Q, A>(method: UnaryMethod<Q, A>, request: Q, authorization?: string): Promise<A> {
    return (await unary(this.client, method, request, { authorization })).answer;
  }

  /** The status that a call ends with. */
  async codeOf<Q, A>(method: UnaryMethod<Q, A>, request: Q, authorization?: string): Promise<status> {
    return this.call(method, request, authorization).then(
      () => status.OK,
      (error: unknown) => (error as ServiceError).code,
    );
  }

  setFaults(faults: Partial<SetFaultsRequest>): Promise<object> {
    return this.call(FaultServiceService.setFaults, { ...NO_FAULTS, ...faults });
  }

  open(request: Partial<JobSetRequest>, authorization?: string): Stream {
    const { path, requestSerialize } = EventService.getJobSetEvents;
    const whole = { queue: 'q', id: 's', fromMessageId: '', watch: false, errorIfMissing: false, ...request };
    return this.stream(path, requestSerialize, whole, authorization);
  }

  stream<Q>(path: string, serialize: (request: Q) => Buffer, request: Q, authorization?: string): Stream {
    const call = this.client.makeServerStreamRequest<Q, Buffer>(
      path,
      serialize,
      (bytes) => bytes,
      request,
      metadataOf(authorization),
    );
    const stream: Stream = { messages: [], call, end: undefined };
    call.on('data', (bytes: Buffer) => stream.messages.push(bytes));
    call.on('status', ({ code, details }) => (stream.end = { code, details }));
    call.on('error', () => undefined);
    return stream;
  }

  async read(
    request: Partial<JobSetRequest>,
    authorization?: string,
  ): Promise<Pick<Stream, 'messages'> & { end: End }> {
    const stream = this.open(request, authorization);
    return { messages: stream.messages, end: await eventually('the read ends', () => stream.end) };
  }

  async submitAll(jobRequestItems: JobSubmitRequestItem[], jobSetId = 's'): Promise<JobSubmitResponseItem[]> {
    const request = { queue: 'q', jobSetId, jobRequestItems };
    return (await this.call(SubmitService.submitJobs, request)).jobResponseItems;
  }

  /** Submits one job that runs this command. */
  async submit(
    command?: string,
    fields: Partial<JobSubmitRequestItem> = {},
    jobSetId = 's',
  ): Promise<string> {
    const [answer] = await this.submitAll([submitItem(command, fields)], jobSetId);
    return answer?.jobId ?? '';
  }
}
