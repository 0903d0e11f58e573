import type { QueueServiceServer } from '@ajs/contracts/api/submit';
import { status } from '@grpc/grpc-js';
import { UNAVAILABLE, rpcError, type Faults } from './faults.js';
import type { Queues } from './queues.js';

/** The queue methods, the same in `api.QueueService` and in `api.Submit`. */
export function queueMethods(
  queues: Queues,
  faults: Faults,
): Pick<QueueServiceServer, 'createQueue' | 'getQueue'> {
  return {
    createQueue: ({ request: queue }, callback) => {
      const { name, priorityFactor } = queue;
      if (faults.now.unavailable) {
        callback(UNAVAILABLE);
        return;
      }
      if (name === '' || priorityFactor < 1) {
        const what = name === '' ? 'the name is empty' : `priority factor ${priorityFactor} is less than 1`;
        callback(rpcError(status.INVALID_ARGUMENT, `error validating queue: ${what}`));
        return;
      }
      if (queues.has(name)) {
        callback(rpcError(status.ALREADY_EXISTS, `error creating queue: queue ${name} already exists`));
        return;
      }
      queues.create(queue);
      callback(null, {});
    },
    getQueue: ({ request: { name } }, callback) => {
      if (faults.now.unavailable) {
        callback(UNAVAILABLE);
        return;
      }
      const queue = queues.get(name);
      if (queue === undefined) callback(rpcError(status.NOT_FOUND, `error: could not find queue "${name}"`));
      else callback(null, queue);
    },
  };
}
