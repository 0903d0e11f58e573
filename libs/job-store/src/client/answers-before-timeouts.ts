import { Redis, type Cluster } from 'ioredis';

/**
 * Has a command time out, and a connection be given up as dead, only where Redis has not answered. After a process stood still (a long turn
 * of the event loop, a used-up share of the processor) its timers are over before it reads the answers that have come meanwhile.
 */
export function readAnswersBeforeTimeouts(client: Redis | Cluster): void {
  readBeforeCommandTimesOut(client);
  if (client instanceof Redis) readBeforeSocketTimesOut(client);
  else client.on('+node', readBeforeSocketTimesOut);
}

function readBeforeCommandTimesOut(client: Redis | Cluster): void {
  // The node is where a pipeline of a cluster is written to.
  const send: Cluster['sendCommand'] = client.sendCommand.bind(client);
  const sendCommand: Cluster['sendCommand'] = (command, stream, node: unknown) => {
    const { reject } = command;
    command.reject = (error) => {
      if (error.message !== COMMAND_TIMEOUT) reject(error);
      // One that is answered by then stays answered.
      else afterReading(() => reject(error));
    };
    return send(command, stream, node);
  };
  client.sendCommand = sendCommand;
}

function readBeforeSocketTimesOut(client: Redis): void {
  client.on('connect', () => {
    const { stream } = client;
    const destroy = stream.destroy.bind(stream);
    stream.destroy = (error) => {
      if (!error?.message.startsWith(SOCKET_TIMEOUT)) return destroy(error);
      const { bytesRead } = stream;
      afterReading(() => stream.bytesRead > bytesRead || destroy(error));
      return stream;
    };
  });
}

/** As ioredis words them. */
const COMMAND_TIMEOUT = 'Command timed out';
const SOCKET_TIMEOUT = 'Socket timeout.';

/** What has come is read before this runs. */
function afterReading(run: () => void): void {
  setImmediate(run);
}
