import type { ServerResponse } from 'node:http';
import { status } from '@grpc/grpc-js';
import { Catch, HttpException, Inject, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import { throttledLog, type Log, type ThrottledLog } from '@ajs/observability';
import { LOG } from '../process/tokens.js';
import { sendError, sendProblem } from './problem-details.js';

/** What Express reports of a request. Characters. */
const MAX_TEXT_LENGTH = 500;

/** The paths of `jobservice.v2`, in any letter case, as Express matches them. */
const V2_PATH = /^\/v2(?:[/?]|$)/i;

/** What programs may act on, where it is not that the request is wrong. */
const REASONS: Partial<Record<status, string>> = {
  [status.PERMISSION_DENIED]: 'PERMISSION_DENIED',
  [status.INTERNAL]: 'INTERNAL',
};

/**
 * Responds with an error in the form of its path: problem details below `/v2`, elsewhere that of grpc-gateway 1, which is the text twice and
 * the gRPC code.
 */
export function sendHttpError(
  response: ServerResponse,
  httpStatus: number,
  code: status,
  text: string,
): void {
  if (V2_PATH.test(response.req.url ?? '')) {
    sendProblem(response, { httpStatus, code, reason: REASONS[code] ?? 'INVALID_REQUEST', detail: text });
  } else sendError(response, httpStatus, 'application/json', { error: text, code, message: text });
}

/** Responds 405 to a request whose path has one method only. */
export function sendMethodNotAllowed(
  response: ServerResponse,
  { method, allowed }: { readonly method: string | undefined; readonly allowed: 'GET' | 'POST' },
): void {
  response.setHeader('Allow', allowed === 'GET' ? 'GET, HEAD' : allowed);
  sendHttpError(response, 405, status.UNIMPLEMENTED, `method ${method} is not allowed; use ${allowed}`);
}

/** Answers for every request that reaches no handler, or whose handler throws. */
@Catch()
export class HttpErrorFilter implements ExceptionFilter {
  private readonly log: ThrottledLog;

  constructor(@Inject(LOG) log: Log) {
    this.log = throttledLog(log);
  }

  catch(error: unknown, host: ArgumentsHost): void {
    const response = host.switchToHttp().getResponse<ServerResponse>();
    const httpStatus = httpStatusOf(error);
    // Callers may make it happen as often as they call.
    if (httpStatus === 500) this.log('error', { err: error }, 'HTTP request failed', String(error));
    if (response.headersSent) response.destroy();
    else if (httpStatus === 404) sendHttpError(response, 404, status.NOT_FOUND, 'this path does not exist');
    else if (httpStatus === 500) {
      sendHttpError(response, 500, status.INTERNAL, 'internal error; see the log of this service');
    } else {
      const text = (error as Error).message.slice(0, MAX_TEXT_LENGTH);
      sendHttpError(response, httpStatus, status.INVALID_ARGUMENT, text);
    }
  }
}

/** The status of an error of Nest, or of Express, which are those of a request; 500 for all others. */
function httpStatusOf(error: unknown): number {
  const found =
    error instanceof HttpException ? error.getStatus() : (error as { status?: unknown } | null)?.status;
  return typeof found === 'number' && found >= 400 && found < 500 ? found : 500;
}
