import { Queue, type QueueServiceServer } from '@ajs/contracts/api/submit';
import { status } from '@grpc/grpc-js';
import { UNAVAILABLE, rpcError, type Faults } from './faults.js';

/** The queue methods, the same in `api.QueueService` and in `api.Submit`. `names` are the queues that there are. */
export function queueMethods(
  names: Set<string>,
  faults: Faults,
): Pick<QueueServiceServer, 'createQueue' | 'getQueue'> {
  /** Queues that were created; others are there by name alone. */
  const created = new Map<string, Queue>();
  return {
    createQueue: ({ request: queue }, callback) => {
      const { name, priorityFactor } = queue;
      if (faults.now.unavailable) return callback(UNAVAILABLE);
      if (name === '' || priorityFactor < 1) {
        const what = name === '' ? 'the name is empty' : `priority factor ${priorityFactor} is less than 1`;
        return callback(rpcError(status.INVALID_ARGUMENT, `error validating queue: ${what}`));
      }
      if (names.has(name)) {
        return callback(
          rpcError(status.ALREADY_EXISTS, `error creating queue: queue ${name} already exists`),
        );
      }
      names.add(name);
      created.set(name, queue);
      callback(null, {});
    },
    getQueue: ({ request: { name } }, callback) => {
      if (faults.now.unavailable) callback(UNAVAILABLE);
      else if (!names.has(name))
        callback(rpcError(status.NOT_FOUND, `error: could not find queue "${name}"`));
      else
        callback(null, created.get(name) ?? { ...Queue.decode(new Uint8Array()), name, priorityFactor: 1 });
    },
  };
}
