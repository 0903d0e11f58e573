import { Server } from '@grpc/grpc-js';
import { handleStreams } from './stream-handler.js';

it.each(['_streamHandler', 'onStreamOpened'])('a grpc-js without %s is rejected', (method) => {
  const other = Object.assign(new Server(), { [method]: undefined });
  expect(() => handleStreams(other, () => undefined)).toThrow(
    'this version of @grpc/grpc-js handles streams in a way that stream-handler.ts does not know',
  );
});
