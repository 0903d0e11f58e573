import { once } from 'node:events';
import { IncomingMessage, ServerResponse, createServer, type Server } from 'node:http';
import { Socket, connect, type AddressInfo } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { JobId } from '@ajs/job-state';
import { Generation } from '@ajs/redis-keys';
import { eventually } from '@ajs/testing';
import type { JobSetEvent, SendEvents } from '../changes/job-set-stream.js';
import { testCaller } from '../testing/test-caller.js';
import type { V2Watchers } from '../v2/v2-streams.js';
import { endEvents, sendJobSetEvents } from './job-set-events.js';

/** Of 64 KiB. */
const EVENTS: readonly JobSetEvent[] = [{ kind: 'snapshot-end', token: 'x'.repeat(64 * 1024) }];
/** How often they are sent: many times what the system keeps for a client that does not read. */
const TIMES = 500;

describe('events for a client that does not read', () => {
  let server: Server;
  let socket: Socket;
  let response: ServerResponse | undefined;
  let sent: number;
  let isOver: boolean;
  /** The bytes that are paid for. */
  let held: number;

  beforeEach(async () => {
    [response, sent, isOver, held] = [undefined, 0, false, 0];
    const watch = async (_key: unknown, _token: unknown, _caller: unknown, send: SendEvents) => {
      for (; sent < TIMES && response?.destroyed === false; sent++) await send(EVENTS);
      isOver = true;
    };
    const watchers = { jobSets: { watch } } as unknown as V2Watchers;
    server = createServer((_, given) => {
      response = given;
      const client = { caller: testCaller(), response: given, hold: (bytes: number) => (held = bytes) };
      void sendJobSetEvents(watchers, { queue: 'q', jobSet: 's' }, '', client);
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    socket = connect((server.address() as AddressInfo).port, '127.0.0.1').pause();
    socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await eventually('some of it waits', () => response?.writableNeedDrain);
  });
  afterEach(() => {
    socket.destroy();
    server.close();
  });

  it('wait, and are paid for, until it reads', async () => {
    expect(sent).toBeLessThan(TIMES);
    expect(response?.writableLength).toBeLessThan(1024 * 1024);
    expect(held).toBeGreaterThan(64 * 1024);
    socket.resume();
    await eventually('all is sent', () => isOver);
    expect([sent, held]).toEqual([TIMES, 0]);
  });

  it('wait no longer once it has gone', async () => {
    socket.destroy();
    await eventually('it is over', () => isOver);
    expect(sent).toBeLessThan(TIMES);
  });
});

describe('events that the system takes at once', () => {
  const sentFor = async (events: readonly JobSetEvent[]): Promise<{ text: string; held: number[] }> => {
    const written: string[] = [];
    const response = new ServerResponse(new IncomingMessage(new Socket()));
    response.write = (bytes: Buffer) => written.push(bytes.toString()) > 0;
    const held: number[] = [];
    const watch = async (_key: unknown, _token: unknown, _caller: unknown, send: SendEvents) => {
      await send(events);
    };
    const watchers = { jobSets: { watch } } as unknown as V2Watchers;
    const client = { caller: testCaller(), response, hold: (bytes: number) => held.push(bytes) };
    await sendJobSetEvents(watchers, { queue: 'q', jobSet: 's' }, '', client);
    return { text: written.join(''), held };
  };

  it('are paid for no longer', async () => {
    const { text, held } = await sentFor([{ kind: 'snapshot-end', token: 't' }]);
    expect(text).toBe('id: t\nevent: snapshot-end\ndata: {}\n\n');
    expect(held).toEqual([text.length, 0]);
  });

  it('leave out a job that cannot be shown, since a newer version of this service wrote it', async () => {
    const changed = { jobId: JobId('j'), generation: Generation('g'), revision: 1 };
    const { text } = await sentFor([
      { kind: 'job', changed, token: 'before' },
      { kind: 'snapshot-end', token: 't' },
    ]);
    expect(text).toBe('id: t\nevent: snapshot-end\ndata: {}\n\n');
  });
});

it('a stream says in one line why it ends', () => {
  const ends: string[] = [];
  const response = { end: (text: string) => ends.push(text) } as unknown as ServerResponse;
  endEvents(response, 'two\r\n\r\nlines');
  expect(ends).toEqual([': two lines\n\n']);
});

it('a stream for HEAD, which has ended by itself and whose client has not taken that yet, is not ended again', async () => {
  const response = new ServerResponse(Object.assign(new IncomingMessage(new Socket()), { method: 'HEAD' }));
  const errors: unknown[] = [];
  response.on('error', (error) => errors.push(error));
  const watch = async (_key: unknown, _token: unknown, _caller: unknown, send: SendEvents) => {
    await send(EVENTS);
  };
  const watchers = { jobSets: { watch } } as unknown as V2Watchers;
  const client = { caller: testCaller(), response, hold: () => undefined };
  await sendJobSetEvents(watchers, { queue: 'q', jobSet: 's' }, '', client);
  expect([response.writableEnded, response.destroyed]).toEqual([true, false]);
  endEvents(response, 'why');
  await nextTurn();
  expect(errors).toEqual([]);
});

it('events that come once their response has ended, as at the deadline of its client, are dropped', async () => {
  const response = new ServerResponse(new IncomingMessage(new Socket()));
  const errors: unknown[] = [];
  response.on('error', (error) => errors.push(error));
  response.end();
  const held: number[] = [];
  const watch = async (_key: unknown, _token: unknown, _caller: unknown, send: SendEvents) => {
    await send(EVENTS);
  };
  const watchers = { jobSets: { watch } } as unknown as V2Watchers;
  const client = { caller: testCaller(), response, hold: (bytes: number) => held.push(bytes) };
  await sendJobSetEvents(watchers, { queue: 'q', jobSet: 's' }, '', client);
  await nextTurn();
  expect([errors, held]).toEqual([[], []]);
});
