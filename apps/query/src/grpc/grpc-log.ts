import type { Log } from '@ajs/observability';

const UNREADABLE_HEADER = /^(Failed to add metadata entry [^:]*):/;

/**
 * Where grpc-js logs. Of a caller's header that it cannot read it would log the value, which may be a credential: here only the
 * name, and quietly, since any caller can send one with each call.
 */
export function grpcLog(log: Log): Pick<Console, 'error' | 'info' | 'debug'> {
  return {
    error: (message: string) => {
      const unreadable = UNREADABLE_HEADER.exec(message);
      if (unreadable === null) log.warn({ grpc: message }, 'gRPC has a problem');
      else log.debug({ grpc: unreadable[1] }, 'a header that cannot be read');
    },
    info: (message: string) => log.info({ grpc: message }, 'gRPC says'),
    debug: (message: string) => log.debug({ grpc: message }, 'gRPC says'),
  };
}
