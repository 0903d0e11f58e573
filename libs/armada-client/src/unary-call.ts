import { Metadata, type ServiceError } from '@grpc/grpc-js';
import type { ChannelPool } from './channel-pool.js';

/** A unary method, as the generated contracts define it. */
export interface UnaryMethod<Q, A> {
  readonly path: string;
  readonly requestSerialize: (request: Q) => Buffer;
  readonly responseDeserialize: (bytes: Buffer) => A;
}

/** Calls a method; resolves to its response. Rejects with gRPC's ServiceError. */
export async function callUnary<Q, A>(
  pool: ChannelPool,
  { path, requestSerialize, responseDeserialize }: UnaryMethod<Q, A>,
  request: Q,
  deadlineMs: number,
  metadata = new Metadata(),
): Promise<A> {
  const { client, release } = pool.acquire();
  try {
    return await new Promise<A>((resolve, reject) => {
      client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        request,
        metadata,
        { deadline: Date.now() + deadlineMs },
        (error: ServiceError | null, answer) => {
          if (answer === undefined) reject(error ?? new Error(`${path} ended without a response`));
          else resolve(answer);
        },
      );
    });
  } finally {
    release();
  }
}
