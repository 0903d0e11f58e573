import type { Redis } from 'ioredis';

/**
 * Has the commands of one run of code sent with one write at its end. The pipelines that ioredis makes by itself leave a turn of the event
 * loop later, and each waits for the answers to the one before.
 */
export function sendTogether(client: Redis): void {
  const send = client.sendCommand.bind(client);
  client.sendCommand = (command, stream) => {
    corkForThisRun(client.stream);
    return send(command, stream);
  };
}

/** There is no stream before the first connection, whatever the type of a client says. */
function corkForThisRun(stream: Redis['stream'] | undefined): void {
  if (stream === undefined || stream.writableCorked > 0) return;
  stream.cork();
  process.nextTick(() => stream.uncork());
}
