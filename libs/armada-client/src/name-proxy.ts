import { throughProxy, type Proxy } from '@ajs/platform';
import { InterceptingCall, type Interceptor } from '@grpc/grpc-js';
import { mapStatus } from './map-status.js';
import { isUnreachable } from './observe-calls.js';

/** A credential that could not be obtained never got as far as the proxy. */
const NO_CREDENTIAL = /^Getting metadata from plugin failed/;

/** Names the proxy in the status of calls that do not reach Armada: it may be the cause. Does nothing where there is none. */
export function nameProxy(proxy: Proxy | undefined): Interceptor[] {
  if (proxy === undefined) return [];
  return [
    (options, nextCall) =>
      new InterceptingCall(nextCall(options), {
        start: (metadata, listener, next) =>
          next(
            metadata,
            mapStatus(listener, (end) => {
              const isNamed = isUnreachable(end.code) && !NO_CREDENTIAL.test(end.details);
              return isNamed ? { ...end, details: `${end.details} (${throughProxy(proxy)})` } : end;
            }),
          ),
      }),
  ];
}
