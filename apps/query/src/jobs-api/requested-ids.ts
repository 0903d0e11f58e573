import { status } from '@grpc/grpc-js';
import { idProblem } from '@ajs/job-state';
import { RpcError } from '../rpc-error.js';

/** The ids of a request, each once. Throws INVALID_ARGUMENT where they are too many or one of them cannot be an id. */
export function requestedIds(field: string, ids: readonly string[], max: number): string[] {
  checkIds(field, ids, max);
  return [...new Set(ids)];
}

/** Throws INVALID_ARGUMENT where the ids of a request are too many or one of them cannot be an id. */
export function checkIds(field: string, ids: readonly string[], max: number): void {
  if (ids.length > max) throw tooManyIds(field, ids.length, max);
  for (let i = 0; i < ids.length; i++) {
    const problem = idProblem(ids[i] ?? '');
    if (problem !== undefined) throw new RpcError(status.INVALID_ARGUMENT, `${field}[${i}] ${problem}`);
  }
}

export function tooManyIds(field: string, count: number, max: number): RpcError {
  return new RpcError(
    status.INVALID_ARGUMENT,
    `${field} has ${count} ids, more than the ${max} that one call may have (MAX_JOB_IDS); split the request`,
  );
}
