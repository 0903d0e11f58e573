import {
  status,
  type handleUnaryCall,
  type ServiceDefinition,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';

class TooLarge {
  constructor(readonly bytes: number) {}
}

/**
 * A service of unary methods that rejects requests of more than `maxBytes` before they are decoded: the server's own limit is one for
 * all services, and as wide as the widest needs.
 */
export function boundedService(
  definition: ServiceDefinition,
  implementation: UntypedServiceImplementation,
  maxBytes: number,
): [ServiceDefinition, UntypedServiceImplementation] {
  const definitions: Record<string, ServiceDefinition[string]> = {};
  const handlers: UntypedServiceImplementation = {};
  for (const [name, method] of Object.entries(definition)) {
    if (method.requestStream || method.responseStream) throw new Error(`${method.path} is not unary`);
    definitions[name] = {
      ...method,
      requestDeserialize: (bytes): unknown =>
        bytes.length > maxBytes ? new TooLarge(bytes.length) : method.requestDeserialize(bytes),
    };
    const handler = implementation[name] as handleUnaryCall<unknown, unknown>;
    const bounded: handleUnaryCall<unknown, unknown> = (call, callback) => {
      const { request } = call;
      if (!(request instanceof TooLarge)) {
        handler(call, callback);
        return;
      }
      callback({
        code: status.RESOURCE_EXHAUSTED,
        details: `the request has ${request.bytes} bytes; this service accepts at most ${maxBytes}`,
      });
    };
    handlers[name] = bounded;
  }
  return [definitions, handlers];
}
