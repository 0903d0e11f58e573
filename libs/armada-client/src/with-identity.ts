import type { ArmadaIdentity } from '@ajs/armada-credentials';
import { InterceptingCall, Metadata, credentials, status, type Interceptor } from '@grpc/grpc-js';

/**
 * Gives every call of a channel our credential of the time. A call whose credential cannot be had ends with UNAVAILABLE and the
 * reason; one that Armada does not know us by is told to the identity.
 *
 * It is set call by call: grpc-js wants TLS for credentials of a channel, where Armada's own clients send them without, too.
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
      start: (metadata, _listener, next) =>
        next(metadata, {
          onReceiveStatus: (end, pass) => {
            if (end.code === status.UNAUTHENTICATED && sent !== undefined) identity.refused(sent);
            pass(end);
          },
        }),
    });
  };
}
