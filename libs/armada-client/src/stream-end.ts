import type { StreamEnd } from '@ajs/subscriptions';
import { status, type StatusObject } from '@grpc/grpc-js';
import { statusText } from './status-text.js';

/**
 * What the end of an event stream means, from the status that Armada, or the client on its behalf, gave it.
 *
 * Only two refusals are Armada's settled word: PERMISSION_DENIED (no right to watch the queue) and NOT_FOUND (no such queue).
 * All else passes or is mended by somebody, so it is tried again: UNAVAILABLE is what a stopping server and a lost connection
 * give, INTERNAL what a server gives that has not read its queues yet, UNAUTHENTICATED what an expired token gives,
 * RESOURCE_EXHAUSTED an overloaded server or a message above our limit, INVALID_ARGUMENT a cursor that another version wrote.
 */
export function classifyEnd({ code, details }: Pick<StatusObject, 'code' | 'details'>): StreamEnd {
  if (code === status.OK) return { kind: 'end', reason: 'the server ended the stream' };
  const reason = statusText({ code, details });
  if (code === status.PERMISSION_DENIED) return { kind: 'denied', reason };
  if (code === status.NOT_FOUND) return { kind: 'gone', reason };
  return { kind: 'retry', reason };
}
