import type { ArmadaIdentity } from '@ajs/armada-credentials';
import { InterceptingCall, Metadata, credentials, status, type Interceptor } from '@grpc/grpc-js';
import { mapStatus } from './map-status.js';

/**
 * Adds our current credential to every call of a channel. A call whose credential cannot be obtained fails with UNAVAILABLE and the
 * reason; a credential that Armada rejects is reported to the identity.
 *
 * It is set for each call: grpc-js requires TLS for a channel's credentials, while Armada's own clients also send them without.
 */
export function withIdentity(identity: ArmadaIdentity): Interceptor {
  return (options, nextCall) => {
    let sent: string | undefined;
    const callCredentials = credentials.createFromMetadataGenerator((_, callback) => {
      identity.authorization().then(
        (authorization) => {
          const metadata = new Metadata();
          if (authorization !== undefined) metadata.set('authorization', authorization);
          sent = authorization;
          callback(null, metadata);
        },
        (error: unknown) => callback(Object.assign(error as Error, { code: status.UNAVAILABLE })),
      );
    });
    return new InterceptingCall(nextCall({ ...options, credentials: callCredentials }), {
      start: (metadata, listener, next) =>
        next(
          metadata,
          mapStatus(listener, (end) => {
            if (end.code === status.UNAUTHENTICATED && sent !== undefined) identity.refused(sent);
            return end;
          }),
        ),
    });
  };
}
