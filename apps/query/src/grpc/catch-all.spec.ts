import type { Server } from '@grpc/grpc-js';
import { catchAll } from './catch-all.js';

describe('catching methods that were not added', () => {
  it('fails at the start of the process where grpc-js finds handlers in another way', () => {
    expect(() => catchAll({} as unknown as Server, () => true)).toThrow('this version of @grpc/grpc-js');
  });
});
