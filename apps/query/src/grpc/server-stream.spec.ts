import type { ServiceDefinition } from '@grpc/grpc-js';
import { status } from '@grpc/grpc-js';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { RpcError } from '../rpc-error.js';
import { testCaller } from '../testing/test-caller.js';
import type { GrpcCall } from './grpc-call.js';
import { streamCall, type Responses } from './server-stream.js';

const KIBIBYTE = 1024;

let responses: Responses;
/** What was sent, each with what has it taken. */
let sent: { readonly bytes: number; readonly take: () => void }[];
let isOver: boolean;
let ended: (status | undefined)[];
let leave: () => void;

beforeEach(() => {
  [sent, ended, isOver] = [[], [], false];
  const call = {
    get isOver(): boolean {
      return isOver;
    },
    sendFrames: ({ length }: Buffer, take: () => void) => sent.push({ bytes: length, take }),
  } as unknown as GrpcCall;
  const method = streamCall(
    {
      definition: {} as ServiceDefinition[string],
      maxRequestBytes: 0,
      stream: (_request, _caller, given) => {
        responses = given;
        return new Promise(() => undefined);
      },
      failed: (error) => error as RpcError,
      ended: (code) => ended.push(code),
    },
    call,
  );
  void method.answer(undefined, testCaller({ whenGone: (listener) => (leave = listener) }));
  method.answered?.({ response: undefined }, 0);
  method.answered?.(new RpcError(status.UNAVAILABLE, 'why'), 0);
});

/** Whether the stream is to wait after it has sent so many bytes, and until when. */
function send(bytes: number): { isWaiting: boolean } {
  const wait = { isWaiting: false };
  const taken = responses.send(Buffer.alloc(bytes));
  if (taken !== undefined) {
    wait.isWaiting = true;
    void taken.then(() => (wait.isWaiting = false));
  }
  return wait;
}

it('a stream waits once its reader has more than 64 KiB to take, until that is half of it', async () => {
  expect([send(32 * KIBIBYTE), send(32 * KIBIBYTE)]).toEqual([{ isWaiting: false }, { isWaiting: false }]);
  const wait = send(1);
  sent[0]?.take();
  await nextTurn();
  expect(wait.isWaiting).toBe(true);
  sent[2]?.take();
  await nextTurn();
  expect(wait.isWaiting).toBe(false);
  expect(send(32 * KIBIBYTE).isWaiting).toBe(false);
});

it('a stream whose reader has gone waits no longer, and sends nothing', async () => {
  const wait = send(65 * KIBIBYTE);
  expect(wait.isWaiting).toBe(true);
  isOver = true;
  leave();
  await nextTurn();
  expect(wait.isWaiting).toBe(false);
  expect([send(65 * KIBIBYTE).isWaiting, sent.length]).toEqual([false, 1]);
});

it('a stream is counted at its end, by its code', () => {
  expect(ended).toEqual([status.OK, status.UNAVAILABLE]);
});
