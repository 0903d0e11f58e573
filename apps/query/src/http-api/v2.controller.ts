import type { ServerResponse } from 'node:http';
import { sendProblem } from '@ajs/runtime';
import { All, Controller, Get, Inject, Post, Req, Res } from '@nestjs/common';
import type { status } from '@grpc/grpc-js';
import { V2_CALLS } from '../tokens.js';
import type { V2Calls } from '../v2/v2-service.js';
import { HttpCalls, type HttpExchange, type HttpReply, type HttpRequest } from './http-calls.js';
import { HttpError, httpStatusOf } from './http-error.js';
import { EVENTS_PATH, endEvents, sendJobSetEvents } from './job-set-events.js';
import { MAX_V2_BODY_BYTES, V2_ROUTES, queryOf, rpcOf, type V2Response, type V2Route } from './v2-routes.js';

const pathsOf = (method: V2Route['method']): string[] =>
  V2_ROUTES.filter((route) => route.method === method).map(({ path }) => path);

/** The parts of Express's request that are used here beside those of {@link HttpRequest}. */
interface V2HttpRequest extends HttpRequest {
  /** The names in the path, decoded. */
  readonly params: Readonly<Record<string, string>>;
}

/** `jobservice.v2` over HTTP: proto3 JSON, and problem details. */
@Controller()
export class V2Controller {
  constructor(
    @Inject(HttpCalls) private readonly calls: HttpCalls,
    @Inject(V2_CALLS) private readonly v2Calls: V2Calls,
  ) {}

  @Get(pathsOf('GET'))
  get(@Req() request: V2HttpRequest, @Res() response: ServerResponse): Promise<void> {
    return this.answer(request, response);
  }

  @Post(pathsOf('POST'))
  post(@Req() request: V2HttpRequest, @Res() response: ServerResponse): Promise<void> {
    return this.answer(request, response);
  }

  @Get(EVENTS_PATH)
  async events(@Req() request: V2HttpRequest, @Res() response: ServerResponse): Promise<void> {
    await this.calls.answer(this.eventsOf(request), request, response);
  }

  @All([...pathsOf('GET'), EVENTS_PATH])
  otherThanGet(@Req() request: HttpRequest, @Res() response: ServerResponse): void {
    this.calls.otherMethod(request, response, 'GET');
  }

  @All(pathsOf('POST'))
  otherThanPost(@Req() request: HttpRequest, @Res() response: ServerResponse): void {
    this.calls.otherMethod(request, response, 'POST');
  }

  private async answer(request: V2HttpRequest, response: ServerResponse): Promise<void> {
    const route = V2_ROUTES.find(({ path }) => path === request.route.path);
    if (route === undefined) throw new Error(`no route ${request.route.path}`);
    await this.calls.answer(this.exchange(route, request), request, response);
  }

  private exchange(route: V2Route, { params: names, url = '' }: V2HttpRequest): HttpExchange {
    const { api, answered } = this.v2Calls;
    const [, search = ''] = /\?(.*)$/.exec(url) ?? [];
    const rpc = rpcOf(route, search);
    return {
      // It says itself how long it waits.
      ...(rpc === 'waitForJobs' && { staysOpen: true }),
      reply: async ({ request, caller, body }) => {
        const query = queryOf(route, search);
        const text = route.method === 'POST' ? await body(MAX_V2_BODY_BYTES) : '';
        return toReply(await route.answer(api, { names, query, body: text }, caller), request);
      },
      fail: (error, response) => this.fail(error, response),
      answered: (code: status, seconds) => answered(rpc, code, seconds),
    };
  }

  private eventsOf({ params: names }: V2HttpRequest): HttpExchange {
    const { watchers, answered } = this.v2Calls;
    return {
      staysOpen: true,
      reply: (call) => {
        const lastEventId = String(call.request.headers['last-event-id'] ?? '');
        return sendJobSetEvents(watchers, names, lastEventId, call);
      },
      fail: (error, response) => this.fail(error, response),
      answered: (code, seconds) => answered('watchJobSet', code, seconds),
    };
  }

  /** A stream of events that has begun cannot have another status any more. */
  private fail(error: unknown, response: ServerResponse): status {
    const v2Error = this.v2Calls.failed(error);
    const { code, reason, details: detail } = v2Error;
    const httpStatus = httpStatusOf(error instanceof HttpError ? error : v2Error);
    if (response.headersSent) endEvents(response, detail);
    else sendProblem(response, { httpStatus, code, reason, detail });
    return code;
  }
}

function toReply({ json, etag }: V2Response, { headers }: HttpRequest): HttpReply {
  const reply = { mediaType: 'application/json', bytes: Buffer.from(JSON.stringify(json)) };
  if (etag === undefined) return reply;
  const known = headers['if-none-match']?.split(',').map((one) => one.trim()) ?? [];
  // To be compared before it is used again.
  const cached = { ETag: etag, 'Cache-Control': 'private, no-cache' };
  return { ...reply, headers: cached, isNotModified: known.includes(etag) || known.includes('*') };
}
