import { status, type ServiceDefinition } from '@grpc/grpc-js';
import { service as definitions } from 'grpc-health-check';
import { RpcError } from '../rpc-error.js';
import { AnsweringStream } from './answering-stream.js';
import type { GrpcCall } from './grpc-call.js';
import { publicMethod, type UnaryMethod } from './unary-method.js';

interface HealthRequest {
  readonly service: string;
}

/** The longest names of services have some tens of bytes. */
const MAX_REQUEST_BYTES = 1_024;

const { Check, List, Watch } = definitions as unknown as Record<
  'Check' | 'List' | 'Watch',
  ServiceDefinition[string]
>;

/** `grpc.health.v1.Health`. All services have the status of the server. */
export class Health {
  private readonly services: readonly string[];
  private readonly watches = new Set<GrpcCall>();
  private isServing = true;

  /** @param services The full names of those with a status, beside the server itself */
  constructor(services: readonly string[]) {
    this.services = ['', ...services];
  }

  readonly methods: readonly UnaryMethod[] = [
    publicMethod(Check, MAX_REQUEST_BYTES, ({ service }: HealthRequest) => {
      if (this.services.includes(service)) return { status: this.status };
      throw new RpcError(status.NOT_FOUND, `there is no service ${JSON.stringify(service)}`);
    }),
    publicMethod(List, MAX_REQUEST_BYTES, () => ({
      statuses: Object.fromEntries(this.services.map((name) => [name, { status: this.status }])),
    })),
  ];

  /** The method whose calls {@link watch} answers. */
  readonly watchMethod = { path: Watch.path, maxRequestBytes: MAX_REQUEST_BYTES };

  watch(call: GrpcCall): void {
    this.watches.add(call);
    call.stream.once('close', () => this.watches.delete(call));
    const answer = (request: Buffer): Uint8Array => {
      const { service } = Watch.requestDeserialize(request) as HealthRequest;
      const known = this.services.includes(service);
      return Watch.responseSerialize({ status: known ? this.status : 'SERVICE_UNKNOWN' });
    };
    new AnsweringStream(call, answer, true).run();
  }

  /** Reports NOT_SERVING, and ends the watches, so that their clients connect to another replica. */
  stop(): void {
    this.isServing = false;
    for (const call of this.watches) {
      try {
        call.sendMessage(Watch.responseSerialize({ status: this.status }));
      } catch {
        // The call may hold no further message in memory; it ends with a status that says the same.
      }
      call.sendStatus({ code: status.UNAVAILABLE, details: 'this replica is shutting down; retry' });
    }
  }

  private get status(): string {
    return this.isServing ? 'SERVING' : 'NOT_SERVING';
  }
}
