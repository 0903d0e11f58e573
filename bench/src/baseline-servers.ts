import { JobStatusRequest, JobStatusResponse } from '@ajs/contracts/api/job';
import { JobState } from '@ajs/contracts/api/submit';
import {
  Client,
  Server,
  ServerCredentials,
  credentials,
  type ServerUnaryCall,
  type sendUnaryData,
} from '@grpc/grpc-js';
import { Redis } from 'ioredis';

const same = (bytes: Buffer): Buffer => bytes;

/**
 * The baseline for a unary call with grpc-js: it returns the bytes it gets. Prints {"listening": port}.
 *
 * @param method The full name of its method.
 */
export async function runEchoServer(method: string): Promise<void> {
  await serve(method, same);
}

/**
 * As {@link runEchoServer}, but the calls of each turn of the event loop wait for a `GET` that they share: the least that a call costs whose
 * answer is in Redis.
 */
export async function runReadingEchoServer(method: string, redisUrl: string): Promise<void> {
  const redis = new Redis(redisUrl);
  let reading: Promise<unknown> | undefined;
  const read = async (): Promise<void> => {
    await new Promise((resolve) => setImmediate(resolve));
    reading = undefined;
    await redis.get('reading-echo');
  };
  await serve(method, async (request) => {
    await (reading ??= read());
    return request;
  });
}

/** The least that forwarding a unary call costs with grpc-js: it answers with what a client's call to `target` brings. */
export async function runForwarder(method: string, target: string): Promise<void> {
  const client = new Client(target, credentials.createInsecure());
  await serve(
    method,
    (request) =>
      new Promise((resolve, reject) => {
        client.makeUnaryRequest(`/${method}`, same, same, request, (error, response) => {
          if (response === undefined) reject(error ?? new Error('a call without an answer'));
          else resolve(response);
        });
      }),
  );
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

async function serve(method: string, answer: (request: Buffer) => Buffer | Promise<Buffer>): Promise<void> {
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
      unary: (call: ServerUnaryCall<Buffer, Buffer>, callback: sendUnaryData<Buffer>) => {
        const answered = answer(call.request);
        if (answered instanceof Promise) {
          answered.then(
            (bytes) => callback(null, bytes),
            (error: unknown) => callback(error as Error),
          );
        } else callback(null, answered);
      },
    },
  );
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  console.log(JSON.stringify({ listening: port }));
}
