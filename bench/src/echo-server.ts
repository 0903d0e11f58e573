import { JobStatusRequest, JobStatusResponse } from '@ajs/contracts/api/job';
import { JobState } from '@ajs/contracts/api/submit';
import { Server, ServerCredentials, type ServerUnaryCall, type sendUnaryData } from '@grpc/grpc-js';

const same = (bytes: Buffer): Buffer => bytes;

/**
 * The baseline for a unary call with grpc-js: it returns the bytes it gets. Prints {"listening": port}.
 *
 * @param method The full name of its method.
 */
export async function runEchoServer(method: string): Promise<void> {
  await serve(method, same);
}

/** Answers `api.Jobs/GetJobStatus` with responses that are made once for each number of ids. Prints {"listening": port}. */
export async function runMemoryServer(): Promise<void> {
  const responses = new Map<number, Buffer>();
  await serve('api.Jobs/GetJobStatus', (request) => {
    const made = responses.get(request.length) ?? responseTo(request);
    responses.set(request.length, made);
    return made;
  });
}

function responseTo(request: Buffer): Buffer {
  const { jobIds } = JobStatusRequest.decode(request);
  const jobStates = Object.fromEntries(jobIds.map((jobId) => [jobId, JobState.SUCCEEDED]));
  return Buffer.from(JobStatusResponse.encode({ jobStates }).finish());
}

async function serve(method: string, answer: (request: Buffer) => Buffer): Promise<void> {
  const server = new Server();
  server.addService(
    {
      unary: {
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
      unary: (call: ServerUnaryCall<Buffer, Buffer>, callback: sendUnaryData<Buffer>) =>
        callback(null, answer(call.request)),
    },
  );
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  console.log(JSON.stringify({ listening: port }));
}
