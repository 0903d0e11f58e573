import { STATUS_CODES, type ServerResponse } from 'node:http';
import { status } from '@grpc/grpc-js';

export const PROBLEM_MEDIA_TYPE = 'application/problem+json';

export interface Problem {
  readonly httpStatus: number;
  readonly code: status;
  /** What programs may act on. */
  readonly reason: string;
  /** The cause, then what to do. */
  readonly detail: string;
}

/** Sends an error as problem details (RFC 9457), with gRPC's code by its name and the reason for programs. */
export function sendProblem(response: ServerResponse, { httpStatus, code, reason, detail }: Problem): void {
  const problem = {
    type: 'about:blank',
    title: STATUS_CODES[httpStatus],
    status: httpStatus,
    detail,
    code: status[code],
    reason,
  };
  sendError(response, httpStatus, PROBLEM_MEDIA_TYPE, problem);
}

/** Sends a body that no cache keeps. */
export function sendError(
  response: ServerResponse,
  httpStatus: number,
  mediaType: string,
  json: object,
): void {
  const body = Buffer.from(JSON.stringify(json));
  response.writeHead(httpStatus, {
    'Content-Type': mediaType,
    'Content-Length': body.length,
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
  });
  response.end(body);
}
