import { msBetween, addMs } from '@ajs/job-state';
import { monotonicNow, completesWithin } from '@ajs/platform';
import { sendMethodNotAllowed } from '@ajs/runtime';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { finished } from 'node:stream/promises';
import { status } from '@grpc/grpc-js';
import type { Access } from '../access/access.js';
import { callerGone, type Caller } from '../caller.js';
import type { Admission } from '../load/admission.js';
import type { MessageBudget } from '../load/message-budget.js';
import { RpcError } from '../rpc-error.js';
import { certificateNameOf } from '../server-tls/certificate-name.js';
import type { AllowedHosts } from './allowed-hosts.js';
import type { CrossOrigin } from './cross-origin.js';
import { readBody, timeoutOf } from './http-request.js';

/** The part of Express's request that is used here. */
export interface HttpRequest extends IncomingMessage {
  /** The type that the `Accept` header prefers; the first where it prefers none, false where it accepts none. */
  accepts(types: string[]): string | false;
  /** The route that the request matched. */
  readonly route: { readonly path: string };
}

/** Calls that still run this long after the process began to stop are abandoned. Milliseconds. */
const DRAIN_MS = 3_000;
/** Node's timers take no longer delay. Milliseconds. */
const MAX_TIMER_MS = 2 ** 31 - 1;

export interface HttpCallsOptions {
  readonly access: Pick<Access, 'authenticate' | 'keyOf'>;
  readonly admission: Pick<Admission, 'run' | 'waiting'>;
  readonly budget: MessageBudget;
  readonly hosts: AllowedHosts;
  readonly crossOrigin: CrossOrigin;
}

/** A request of a caller who is authenticated, and whose call is admitted. */
export interface HttpCall {
  readonly request: HttpRequest;
  readonly caller: Caller;
  readonly response: ServerResponse;
  /** Reads the body. Rejects one that is longer, as soon as that shows. */
  readonly body: (maxBytes: number) => Promise<string>;
  /** An exchange that itself sends its response pays for the bytes that its client has not taken. Throws RESOURCE_EXHAUSTED where they are too many. */
  readonly hold: (bytes: number) => void;
}

export interface HttpReply {
  readonly mediaType: string;
  readonly bytes: Buffer;
  readonly headers?: Readonly<Record<string, string>>;
  /** The caller has what is in {@link bytes}: it is not sent. */
  readonly isNotModified?: boolean;
}

/** How calls of one API are answered. */
export interface HttpExchange {
  /** Whether a call goes on, silent or not, until its caller goes, or the time is over that the caller sets. */
  readonly staysOpen?: true;
  /** Rejects with whatever prevents an answer, or ends one that the exchange itself sends. */
  reply(call: HttpCall): Promise<HttpReply>;
  /** Sends the error for what prevents an answer; returns its code. */
  fail(error: unknown, response: ServerResponse): status;
  /** Called when the answer is known. */
  answered(code: status, seconds: number): void;
}

/** Calls over HTTP. In this order: the headers authenticate the caller, the call is admitted, its body is read, it is answered. */
export class HttpCalls {
  private readonly running = new Set<Promise<void>>();
  private stopping = false;

  constructor(private readonly options: HttpCallsOptions) {}

  /** Resolves when the response, be it an error, has been sent or its caller has gone. */
  async answer(exchange: HttpExchange, request: HttpRequest, response: ServerResponse): Promise<void> {
    const began = performance.now();
    this.options.crossOrigin.allow(request, response);
    const call = this.call(exchange, request, response)
      .catch((error: unknown) => exchange.fail(error, response))
      .then((code) => exchange.answered(code, (performance.now() - began) / 1000))
      .then(() => finished(response).catch(() => undefined));
    this.running.add(call);
    await call.finally(() => this.running.delete(call));
  }

  /** Answers a request whose path has another method only. */
  otherMethod(request: IncomingMessage, response: ServerResponse, allowed: 'GET' | 'POST'): void {
    const { crossOrigin } = this.options;
    if (crossOrigin.answersPreflight(request, response, allowed)) return;
    crossOrigin.allow(request, response);
    sendMethodNotAllowed(response, { method: request.method, allowed });
  }

  /** Rejects new calls, and waits up to 3 s for those that run. */
  async stop(): Promise<void> {
    this.stopping = true;
    await completesWithin(DRAIN_MS, Promise.all(this.running));
  }

  private async call(
    exchange: HttpExchange,
    request: HttpRequest,
    response: ServerResponse,
  ): Promise<status> {
    if (this.stopping) throw new RpcError(status.UNAVAILABLE, 'this replica is shutting down; retry');
    const { access, admission, budget, hosts } = this.options;
    hosts.check(request.headers.host);
    const timeoutMs = exchange.staysOpen === true ? timeoutOf(request, Infinity) : timeoutOf(request);
    const caller = callerOf(request, response, access.keyOf, timeoutMs);
    // The body while its call is answered, then the response until it has been read.
    const account = budget.open(caller.key);
    response.once('close', () => account.close());
    const answer = admission.run(caller, async () => {
      // By the headers alone: nothing of the body is read before.
      const authenticated = access.authenticate(caller);
      if (authenticated !== undefined) await admission.waiting(caller, () => authenticated);
      // Until its response has been sent. Its client may vanish meanwhile: TCP keep-alive notices that.
      if (exchange.staysOpen === true) response.setTimeout(0);
      const body = (maxBytes: number): Promise<string> =>
        admission.waiting(caller, () => readBody(request, maxBytes, account));
      return exchange.reply({ request, response, caller, body, hold: (bytes) => account.hold(bytes) });
    });
    // The work itself notices that its caller has gone, and ends.
    const leftMs = Math.min(msBetween(monotonicNow(), caller.deadline), MAX_TIMER_MS);
    if (!(await completesWithin(leftMs, answer))) {
      throw new RpcError(status.DEADLINE_EXCEEDED, 'deadline exceeded');
    }
    const reply = await answer;
    if (caller.isGone()) throw callerGone(caller);
    account.hold(reply.bytes.length);
    send(response, reply);
    return status.OK;
  }
}

/** The caller of an HTTP request. */
function callerOf(
  request: HttpRequest,
  response: ServerResponse,
  keyOf: Access['keyOf'],
  timeoutMs: number,
): Caller {
  const presented = {
    address: () => request.socket.remoteAddress ?? '',
    certificateName: () => certificateNameOf(request.socket),
    // `headers` holds the first of several alone.
    authorization: request.headersDistinct['authorization'] ?? [],
  };
  return {
    ...presented,
    key: keyOf(presented),
    deadline: addMs(monotonicNow(), timeoutMs),
    // Also true once the response is sent, when it no longer matters.
    isGone: () => response.destroyed,
    whenGone: (listener) => void response.once('close', listener),
  };
}

function send(response: ServerResponse, { mediaType, bytes, headers, isNotModified }: HttpReply): void {
  const common = { 'Cache-Control': 'no-store', 'X-Content-Type-Options': 'nosniff', ...headers };
  if (isNotModified === true) {
    response.writeHead(304, common).end();
    return;
  }
  response.writeHead(200, { ...common, 'Content-Type': mediaType, 'Content-Length': bytes.length });
  response.end(bytes);
}
