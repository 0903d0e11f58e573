import { completesWithin } from '@ajs/platform';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { finished } from 'node:stream/promises';
import type { JsonProfile } from '@ajs/wire-mapping';
import { status } from '@grpc/grpc-js';
import type { Caller } from '../caller.js';
import type { JobsServiceOptions } from '../jobs-api/jobs-service.js';
import { RpcError, toRpcError } from '../rpc-error.js';
import { certificateNameOfSocket } from '../server-tls/certificate-name.js';
import { errorBody, httpStatusOf } from './http-error.js';
import { readBody, timeoutOf } from './http-request.js';
import type { JobsRoute } from './jobs-routes.js';

/** As much of Express's request as is needed here. */
export interface HttpRequest extends IncomingMessage {
  /** The type that the caller likes best, by its `Accept` header; the first where it has no liking, false where it takes none. */
  accepts(types: string[]): string | false;
  /** What the request was matched with. */
  readonly route: { readonly path: string };
}

/** The media type of each form of the answers. */
export const MEDIA_TYPE: Record<JsonProfile, string> = {
  go: 'application/json',
  proto3: 'application/json;profile=proto3',
};

/** Calls still running when the process stops are given up after this time. Milliseconds. */
const DRAIN_MS = 3_000;
/** A timer cannot be set for longer. Milliseconds. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** The calls of `api.Jobs` that come by HTTP. */
export class HttpCalls {
  private readonly running = new Set<Promise<void>>();
  private stopping = false;

  constructor(private readonly options: JobsServiceOptions) {}

  /** Resolves when the call is answered, whatever with, and the answer is on its way or its caller has gone. */
  async answer(route: JobsRoute, request: HttpRequest, response: ServerResponse): Promise<void> {
    const began = performance.now();
    const call = this.ask(route, request, response)
      .catch((error: unknown) => this.refused(error, response))
      .then((code) => this.options.answered(route.method, code, (performance.now() - began) / 1000))
      .then(() => finished(response).catch(() => undefined));
    this.running.add(call);
    await call.finally(() => this.running.delete(call));
  }

  /** Takes no more calls, and lets those that run finish. */
  async stop(): Promise<void> {
    this.stopping = true;
    await completesWithin(DRAIN_MS, Promise.all(this.running));
  }

  private async ask(route: JobsRoute, request: HttpRequest, response: ServerResponse): Promise<status> {
    if (this.stopping) throw new RpcError(status.UNAVAILABLE, 'this replica is shutting down; retry');
    const caller = callerOf(request, response);
    const profile = profileOf(request);
    const { jobs, admission } = this.options;
    const body = await readBody(request);
    const answer = admission.run(caller, () => route.answer(jobs, body, caller, profile));
    // Of a caller that has gone the work knows, and ends by itself.
    const leftMs = Math.min(caller.deadline - performance.now(), LONGEST_TIMER_MS);
    if (!(await completesWithin(leftMs, answer))) {
      throw new RpcError(status.DEADLINE_EXCEEDED, 'there was no answer before the deadline');
    }
    send(response, 200, MEDIA_TYPE[profile], await answer);
    return status.OK;
  }

  private refused(error: unknown, response: ServerResponse): status {
    const rpcError = toRpcError(error, this.options.internalError);
    refuse(response, rpcError);
    return rpcError.code;
  }
}

/** Answers with an error. */
export function refuse(response: ServerResponse, error: RpcError): void {
  send(response, httpStatusOf(error), MEDIA_TYPE.go, errorBody(error));
}

/** Who waits for the answer. */
function callerOf(request: HttpRequest, response: ServerResponse): Caller {
  return {
    deadline: performance.now() + timeoutOf(request),
    // So is a response that was sent.
    isGone: () => response.destroyed,
    address: () => request.socket.remoteAddress ?? '',
    certificateName: () => certificateNameOfSocket(request.socket),
    // Node keeps the first of several.
    authorization: request.headers.authorization === undefined ? [] : [request.headers.authorization],
  };
}

/** Armada's own form, unless the caller asks for proto3's: Armada's gateway answers so whatever is accepted. */
function profileOf(request: HttpRequest): JsonProfile {
  // Some clients name a charset with every type.
  const liked = request.accepts([MEDIA_TYPE.go, MEDIA_TYPE.proto3, `${MEDIA_TYPE.proto3};charset=utf-8`]);
  return liked !== false && liked.startsWith(MEDIA_TYPE.proto3) ? 'proto3' : 'go';
}

function send(response: ServerResponse, httpStatus: number, mediaType: string, body: unknown): void {
  const bytes = Buffer.from(JSON.stringify(body));
  response.writeHead(httpStatus, {
    'Content-Type': mediaType,
    'Content-Length': bytes.length,
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
  });
  response.end(bytes);
}
