import { Metadata, type CallOptions, type Client } from '@grpc/grpc-js';

/** A unary method, as the generated contracts define it. */
export interface UnaryMethod<Q, A> {
  readonly path: string;
  readonly requestSerialize: (request: Q) => Buffer;
  readonly responseDeserialize: (bytes: Buffer) => A;
}

export interface Answered<A> {
  readonly answer: A;
  readonly trailers: Metadata;
}

export interface UnaryOptions extends CallOptions {
  /** Sent as the metadata of that name. */
  readonly authorization?: string | undefined;
}

export function metadataOf(authorization: string | undefined): Metadata {
  const metadata = new Metadata();
  if (authorization !== undefined) metadata.set('authorization', authorization);
  return metadata;
}

/** Calls a method; resolves to its response with the trailing metadata. Rejects with gRPC's ServiceError. */
export function unary<Q, A>(
  client: Client,
  { path, requestSerialize, responseDeserialize }: UnaryMethod<Q, A>,
  request: Q,
  { authorization, ...options }: UnaryOptions = {},
): Promise<Answered<A>> {
  return new Promise((resolve, reject) => {
    let answer: A | undefined;
    let trailers: Metadata | undefined;
    const settle = (): void => {
      if (answer !== undefined && trailers !== undefined) resolve({ answer, trailers });
    };
    const call = client.makeUnaryRequest(
      path,
      requestSerialize,
      responseDeserialize,
      request,
      metadataOf(authorization),
      options,
      (error, response) => {
        if (error !== null) reject(error);
        else answer = response;
        settle();
      },
    );
    call.on('status', ({ metadata }) => {
      trailers = metadata;
      settle();
    });
  });
}
