import { Server, ServerCredentials, type ServerUnaryCall, type sendUnaryData } from '@grpc/grpc-js';

const same = (bytes: Buffer): Buffer => bytes;

/**
 * The baseline for a unary call with grpc-js: it returns the bytes it gets. Prints {"listening": port}.
 *
 * @param method The full name of its method.
 */
export async function runEchoServer(method: string): Promise<void> {
  const server = new Server();
  server.addService(
    {
      echo: {
        path: `/${method}`,
        requestStream: false,
        responseStream: false,
        requestSerialize: same,
        requestDeserialize: same,
        responseSerialize: same,
        responseDeserialize: same,
      },
    },
    {
      echo: (call: ServerUnaryCall<Buffer, Buffer>, callback: sendUnaryData<Buffer>) =>
        callback(null, call.request),
    },
  );
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  console.log(JSON.stringify({ listening: port }));
}
