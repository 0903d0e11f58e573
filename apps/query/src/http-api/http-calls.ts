import { msBetween, addMs } from '@ajs/job-state';
import { monotonicNow, completesWithin } from '@ajs/platform';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { finished } from 'node:stream/promises';
import { sendHttpError } from '@ajs/runtime';
import type { JsonProfile } from '@ajs/wire-mapping';
import { status } from '@grpc/grpc-js';
import type { Access } from '../access/access.js';
import type { Caller } from '../caller.js';
import type { JobsServiceOptions } from '../jobs-api/jobs-service.js';
import type { MessageBudget } from '../load/message-budget.js';
import { RpcError, toRpcError } from '../rpc-error.js';
import { certificateNameOf } from '../server-tls/certificate-name.js';
import type { AllowedHosts } from './allowed-hosts.js';
import { httpStatusOf } from './http-error.js';
import { maxBodyBytes, readBody, timeoutOf } from './http-request.js';
import type { JobsRoute } from './jobs-routes.js';

/** The part of Express's request that is used here. */
export interface HttpRequest extends IncomingMessage {
  /** The type that the `Accept` header prefers; the first where it prefers none, false where it accepts none. */
  accepts(types: string[]): string | false;
  /** The route that the request matched. */
  readonly route: { readonly path: string };
}

/** The media type of each form of the responses. */
export const MEDIA_TYPE: Record<JsonProfile, string> = {
  go: 'application/json',
  proto3: 'application/json;profile=proto3',
};

/** Calls that still run this long after the process began to stop are abandoned. Milliseconds. */
const DRAIN_MS = 3_000;
/** Node's timers take no longer delay. Milliseconds. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Calls of `api.Jobs` over HTTP. */
export class HttpCalls {
  private readonly running = new Set<Promise<void>>();
  private stopping = false;

  constructor(
    private readonly options: JobsServiceOptions,
    private readonly budget: MessageBudget,
    private readonly hosts: AllowedHosts,
  ) {}

  /** Resolves when the response, be it an error, has been sent or its caller has gone. */
  async answer(route: JobsRoute, request: HttpRequest, response: ServerResponse): Promise<void> {
    const began = performance.now();
    const call = this.call(route, request, response)
      .catch((error: unknown) => this.fail(error, response))
      .then((code) => this.options.answered(route.method, code, (performance.now() - began) / 1000))
      .then(() => finished(response).catch(() => undefined));
    this.running.add(call);
    await call.finally(() => this.running.delete(call));
  }

  /** Rejects new calls, and waits up to 3 s for those that run. */
  async stop(): Promise<void> {
    this.stopping = true;
    await completesWithin(DRAIN_MS, Promise.all(this.running));
  }

  private async call(route: JobsRoute, request: HttpRequest, response: ServerResponse): Promise<status> {
    if (this.stopping) throw new RpcError(status.UNAVAILABLE, 'this replica is shutting down; retry');
    this.hosts.check(request.headers.host);
    const caller = callerOf(request, response, this.options.access.keyOf);
    const profile = profileOf(request);
    // The body while its call is answered, then the response until it has been read.
    const account = this.budget.open(caller.key);
    response.once('close', () => account.close());
    const { jobs, access, admission, maxJobIds } = this.options;
    const answer = admission.run(caller, async () => {
      // By the headers alone: nothing of the body is read before.
      const authenticated = access.authenticate(caller);
      if (authenticated !== undefined) await admission.waiting(caller, () => authenticated);
      const body = await admission.waiting(caller, () => readBody(request, maxBodyBytes(maxJobIds), account));
      return route.answer({ jobs, body, maxJobIds, caller, profile });
    });
    // The work itself notices that its caller has gone, and ends.
    const leftMs = Math.min(msBetween(monotonicNow(), caller.deadline), MAX_TIMER_MS);
    if (!(await completesWithin(leftMs, answer))) {
      throw new RpcError(status.DEADLINE_EXCEEDED, 'deadline exceeded');
    }
    const bytes = Buffer.from(JSON.stringify(await answer));
    account.hold(bytes.length);
    send(response, MEDIA_TYPE[profile], bytes);
    return status.OK;
  }

  private fail(error: unknown, response: ServerResponse): status {
    const rpcError = toRpcError(error, this.options.internalError);
    sendHttpError(response, httpStatusOf(rpcError), rpcError.code, rpcError.details);
    return rpcError.code;
  }
}

/** The caller of an HTTP request. */
function callerOf(request: HttpRequest, response: ServerResponse, keyOf: Access['keyOf']): Caller {
  const presented = {
    address: () => request.socket.remoteAddress ?? '',
    certificateName: () => certificateNameOf(request.socket),
    // `headers` holds the first of several alone.
    authorization: request.headersDistinct['authorization'] ?? [],
  };
  return {
    ...presented,
    key: keyOf(presented),
    deadline: addMs(monotonicNow(), timeoutOf(request)),
    // Also true once the response is sent, when it no longer matters.
    isGone: () => response.destroyed,
    whenGone: (listener) => void response.once('close', listener),
  };
}

/** Armada's own form, unless the caller accepts proto3's: Armada's gateway ignores what callers accept. */
function profileOf(request: HttpRequest): JsonProfile {
  // Some clients add a charset to every type.
  const preferred = request.accepts([MEDIA_TYPE.go, MEDIA_TYPE.proto3, `${MEDIA_TYPE.proto3};charset=utf-8`]);
  return preferred !== false && preferred.startsWith(MEDIA_TYPE.proto3) ? 'proto3' : 'go';
}

function send(response: ServerResponse, mediaType: string, bytes: Buffer): void {
  response.writeHead(200, {
    'Content-Type': mediaType,
    'Content-Length': bytes.length,
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
  });
  response.end(bytes);
}
