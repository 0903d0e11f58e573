import { STATUS_CODES, type ServerResponse } from 'node:http';
import { status } from '@grpc/grpc-js';
import type { V2Error } from '../v2/error-info.js';
import { httpStatusOf } from './http-error.js';

export const PROBLEM_MEDIA_TYPE = 'application/problem+json';

/** Sends an error as problem details (RFC 9457), with gRPC's code by its name and the reason for programs. */
export function sendProblem(
  response: ServerResponse,
  error: V2Error,
  httpStatus = httpStatusOf(error),
): void {
  const problem = {
    type: 'about:blank',
    title: STATUS_CODES[httpStatus],
    status: httpStatus,
    detail: error.details,
    code: status[error.code],
    reason: error.reason,
  };
  const body = Buffer.from(JSON.stringify(problem));
  response.writeHead(httpStatus, {
    'Content-Type': PROBLEM_MEDIA_TYPE,
    'Content-Length': body.length,
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
  });
  response.end(body);
}
