import { status } from '@grpc/grpc-js';
import { nameProblem } from '../name-problem.js';
import { RpcError } from '../rpc-error.js';

/** The ids of a request, each once. Throws INVALID_ARGUMENT where they are too many or one of them cannot be an id. */
export function requestedIds(field: string, ids: readonly string[], most: number): string[] {
  if (ids.length > most) {
    throw new RpcError(
      status.INVALID_ARGUMENT,
      `${field} holds ${ids.length} ids; at most ${most} may be asked about in one call`,
    );
  }
  const asked = new Set<string>();
  for (const [i, id] of ids.entries()) {
    const problem = nameProblem(id);
    if (problem !== undefined) throw new RpcError(status.INVALID_ARGUMENT, `${field}[${i}] ${problem}`);
    asked.add(id);
  }
  return [...asked];
}
