import { AnsweringStream } from './answering-stream.js';
import type { GrpcCall } from './grpc-call.js';

it('a message is read only once the caller has taken the answer to the one before', async () => {
  let reads = 0;
  const untaken: (() => void)[] = [];
  let answered: (() => void) | undefined;
  const call: Pick<GrpcCall, 'start' | 'startRead' | 'keep' | 'sendMessage'> = {
    start: () => undefined,
    startRead: () => reads++,
    keep: () => undefined,
    sendMessage: (_, sent) => {
      if (sent !== undefined) untaken.push(sent);
      answered?.();
    },
  };
  const stream = new AnsweringStream(call as GrpcCall, (request) => request);
  stream.run();
  for (const expected of [1, 2, 3]) {
    expect(reads).toBe(expected);
    const isAnswered = new Promise<void>((resolve) => (answered = resolve));
    stream.onMessage({ isCompressed: false, bytes: Buffer.from('request') });
    await isAnswered;
    // Whatever is to follow by itself has followed.
    await new Promise(setImmediate);
    expect(reads).toBe(expected);
    untaken.pop()?.();
  }
});
