import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** Requests of a connection that may wait for the one before them. Clients in use send one, and wait for its response. */
const MAX_WAITING = 10;

type Request = readonly [IncomingMessage, ServerResponse];

/**
 * Handles the requests of each connection one after the other, with a turn of the event loop between two of them. Node would emit all
 * that arrive in one read, 64 KiB of them, before any other connection has its turn. A connection with more than 10 waiting is closed;
 * `onClosed` is called for each.
 */
export function oneAtATime(handler: RequestListener, onClosed: () => void): RequestListener {
  /** The waiting requests of the connections that have one in progress. */
  const waiting = new WeakMap<Socket, Request[]>();

  function handle([request, response]: Request): void {
    response.once('close', () => setImmediate(handleNext, request.socket));
    handler(request, response);
  }

  function handleNext(socket: Socket): void {
    const next = socket.destroyed ? undefined : waiting.get(socket)?.shift();
    if (next === undefined) waiting.delete(socket);
    else handle(next);
  }

  return (request, response) => {
    const { socket } = request;
    const queue = waiting.get(socket);
    if (socket.destroyed) return;
    if (queue === undefined) {
      waiting.set(socket, []);
      handle([request, response]);
    } else if (queue.length < MAX_WAITING) queue.push([request, response]);
    else {
      onClosed();
      socket.destroy();
    }
  };
}
