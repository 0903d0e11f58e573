import type { Server, ServiceDefinition } from '@grpc/grpc-js';
import { ReflectionService } from '@grpc/reflection';
import { AnsweringStream } from './answering-stream.js';
import type { GrpcCall } from './grpc-call.js';
import { reflectedFiles } from './reflected-files.js';

/** The longest names of files and types have some tens of bytes. */
const MAX_REQUEST_BYTES = 1_024;

/** The part of a stream that the handler of the package uses. */
interface HandlerStream {
  on(event: string, listener: (request: unknown) => void): void;
  write(response: unknown): void;
  end(): void;
}

/** A version of the reflection service. */
export interface ReflectionMethod {
  readonly path: string;
  readonly maxRequestBytes: number;
  readonly run: (call: GrpcCall) => void;
}

/**
 * `grpc.reflection.v1` and `v1alpha`. The package writes its responses whether or not anybody reads them: so it is only asked for them
 * here, and each is sent when the one before has been taken.
 */
export function reflectionMethods(services: readonly string[]): ReflectionMethod[] {
  const methods: ReflectionMethod[] = [];
  const collector: Pick<Server, 'addService'> = {
    addService: (service: ServiceDefinition, implementation) => {
      for (const [name, definition] of Object.entries(service)) {
        const respond = responderOf(implementation[name] as unknown as (stream: HandlerStream) => void);
        const answer = (request: Buffer): Uint8Array =>
          definition.responseSerialize(respond(definition.requestDeserialize(request)));
        methods.push({
          path: definition.path,
          maxRequestBytes: MAX_REQUEST_BYTES,
          run: (call) => new AnsweringStream(call, answer).run(),
        });
      }
    },
  };
  new ReflectionService(reflectedFiles(services), { services: [...services] }).addToServer(collector);
  return methods;
}

/** What the handler writes for a request, which it does at once. */
function responderOf(handler: (stream: HandlerStream) => void): (request: unknown) => unknown {
  let onRequest: ((request: unknown) => void) | undefined;
  let response: unknown;
  handler({
    on: (event, listener) => {
      if (event === 'data') onRequest = listener;
    },
    write: (written) => (response = written),
    end: () => undefined,
  });
  return (request) => {
    onRequest?.(request);
    return response;
  };
}
