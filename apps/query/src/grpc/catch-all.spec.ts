import type { Server } from '@grpc/grpc-js';
import { catchAll } from './catch-all.js';

describe('methods that nobody added', () => {
  it('cannot be caught where grpc-js looks handlers up in another way, and the process says so at its start', () => {
    expect(() => catchAll({} as unknown as Server, () => true)).toThrow('this version of @grpc/grpc-js');
  });
});
