import type { Cluster, Redis } from 'ioredis';

/**
 * Has a command time out only where Redis has not answered it. After a process stood still (a long turn of the event loop, a used-up
 * share of the processor) its timers are over before it reads the answers that have come meanwhile.
 */
export function readAnswersBeforeTimeouts(client: Redis | Cluster): void {
  // The node is where a pipeline of a cluster is written to.
  const send: Cluster['sendCommand'] = client.sendCommand.bind(client);
  const sendCommand: Cluster['sendCommand'] = (command, stream, node: unknown) => {
    const { reject } = command;
    command.reject = (error) => {
      if (!isTimeout(error)) reject(error);
      // What has come is read before this runs.
      else setImmediate(() => command.isSettled || reject(error));
    };
    return send(command, stream, node);
  };
  client.sendCommand = sendCommand;
}

/** As ioredis words it. */
function isTimeout(error: Error): boolean {
  return error.message === 'Command timed out';
}
