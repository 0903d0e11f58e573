import { eventually, freePort } from '@ajs/testing';
import { Metadata, compressionAlgorithms, status } from '@grpc/grpc-js';
import { randomBytes } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http2';
import {
  HELLO,
  LEASE,
  MEBIBYTE,
  NEW_METHOD,
  PassThroughHarness,
  SUBMIT,
  echo,
} from './testing/pass-through-harness.js';
import { outcomeOf, type RawServerCall } from './testing/raw-calls.js';

let h: PassThroughHarness;
beforeEach(async () => {
  h = await PassThroughHarness.start();
});
afterEach(() => h.stop());

describe('a forwarded call', () => {
  it.each([SUBMIT, NEW_METHOD])('carries the bytes of %s to Armada and back', async (path) => {
    const begun = performance.now();
    const message = randomBytes(200_000);
    const { messages, status: end } = await h.client.call(path, message);
    expect(end).toMatchObject({ code: status.OK });
    expect(messages).toHaveLength(1);
    expect(messages[0]?.equals(message)).toBe(true);
    expect(await h.endedCalls()).toEqual({ 'api.Submit OK': 1 });
    const seconds = await h.measuredSeconds();
    expect(seconds).toBeGreaterThan(0);
    expect(seconds).toBeLessThanOrEqual((performance.now() - begun) / 1_000);
  });

  it('carries metadata to Armada, and initial and trailing metadata back, text and bytes', async () => {
    const bytes = randomBytes(40);
    h.armada.answer = (call) => {
      const initial = new Metadata();
      initial.set('x-initial', 'i');
      initial.set('x-initial-bin', bytes);
      call.sendMetadata(initial);
      const trailing = new Metadata();
      trailing.set('x-trailing', 't');
      trailing.set('x-trailing-bin', bytes);
      call.end(trailing);
    };
    const metadata = new Metadata();
    metadata.set('x-text', 'a, b');
    metadata.add('x-bytes-bin', bytes);
    metadata.add('x-bytes-bin', Buffer.from('second'));
    const { initial, status: end } = await h.client.call(SUBMIT, HELLO, metadata);
    expect(h.received(0).metadata.get('x-text')).toEqual(['a, b']);
    expect(h.received(0).metadata.get('x-bytes-bin')).toEqual([bytes, Buffer.from('second')]);
    expect(initial?.getMap()).toMatchObject({ 'x-initial': 'i', 'x-initial-bin': bytes });
    expect(end.metadata.getMap()).toMatchObject({ 'x-trailing': 't', 'x-trailing-bin': bytes });
  });

  it('ends with the error of Armada: code, details, and bytes of details', async () => {
    const details = randomBytes(100);
    h.armada.answer = (call) => {
      const metadata = new Metadata();
      metadata.set('grpc-status-details-bin', details);
      metadata.set('x-more', 'm');
      call.emit('error', { code: status.ALREADY_EXISTS, details: 'queue “q” 100% there\n#1', metadata });
    };
    const { messages, status: end } = await h.client.call(SUBMIT, HELLO);
    expect(messages).toEqual([]);
    expect(end).toMatchObject({ code: status.ALREADY_EXISTS, details: 'queue “q” 100% there\n#1' });
    expect(end.metadata.getMap()).toMatchObject({ 'grpc-status-details-bin': details, 'x-more': 'm' });
    expect(await h.endedCalls()).toEqual({ 'api.Submit ALREADY_EXISTS': 1 });
  });

  it('carries every message that came before an error, also to a slow caller', async () => {
    // More than HTTP/2 takes in for a stream that is not read.
    const message = Buffer.alloc(16 * 1024);
    h.armada.answer = (call) => {
      for (let i = 0; i < 12; i++) call.write(message);
      call.emit('error', { code: status.ABORTED, details: 'no more' });
    };
    const call = h.http2Call();
    await eventually('Armada has ended it', () => h.armada.calls[0]?.cancelled);
    let bytes = 0;
    call.on('data', (data: Buffer) => (bytes += data.length));
    const trailers = await new Promise<IncomingHttpHeaders>((resolve) => call.on('trailers', resolve));
    expect(trailers['grpc-status']).toBe(`${status.ABORTED}`);
    expect(bytes).toBe(12 * (5 + message.length));
  });

  it('streams both ways at once, and ends when the caller’s half does', async () => {
    const call = h.client.open(LEASE);
    const outcome = outcomeOf(call);
    for (let i = 0; i < 3; i++) {
      const message = Buffer.from([i]);
      const back = new Promise((resolve) => call.once('data', resolve));
      call.write(message);
      expect(await back).toEqual(message);
    }
    call.end();
    expect(await outcome).toMatchObject({ status: { code: status.OK } });
    expect((await outcome).messages).toHaveLength(3);
  });

  it('ends when Armada ends it, though the caller’s half is open', async () => {
    h.armada.answer = (call) => call.end();
    const call = h.client.open(LEASE);
    call.write(HELLO);
    expect((await outcomeOf(call)).status.code).toBe(status.OK);
  });

  it('may have no message', async () => {
    const call = h.client.open(LEASE);
    call.end();
    expect(await outcomeOf(call)).toMatchObject({ messages: [], status: { code: status.OK } });
    expect(h.armada.calls).toHaveLength(1);
  });

  it.each([
    ['before anything came', () => undefined],
    ['after a message came', (call: RawServerCall) => void call.write(HELLO)],
  ])('is cancelled at Armada when the caller cancels it %s', async (_, answer) => {
    h.armada.answer = answer;
    const call = h.client.open(LEASE);
    const outcome = outcomeOf(call);
    call.write(HELLO);
    await eventually('Armada has it', () => h.armada.calls.length === 1);
    call.cancel();
    expect((await outcome).status.code).toBe(status.CANCELLED);
    await eventually('Armada sees the cancellation', () => h.received(0).cancelled);
    expect(await h.endedCalls()).toEqual({ 'api.Executor CANCELLED': 1 });
  });

  it('has the rest of the caller’s deadline', async () => {
    let leftMs = Infinity;
    h.armada.answer = (call) => (leftMs = Number(call.getDeadline()) - Date.now());
    const ends: status[] = [];
    // On a machine that stalls for that long, the deadline expires before.
    await eventually('Armada has it in time', async () => {
      ends.push((await h.client.call(SUBMIT, HELLO, undefined, Date.now() + 1_000)).status.code);
      return leftMs < Infinity;
    });
    expect(new Set(ends)).toEqual(new Set([status.DEADLINE_EXCEEDED]));
    expect(leftMs).toBeLessThanOrEqual(1_000);
    await eventually('Armada sees the cancellation', () => h.received(0).cancelled);
    // Whichever comes first: the deadline by our clock, or the caller's cancellation at its own.
    const [ended] = Object.keys(await h.endedCalls());
    expect(ended).toMatch(/^api.Submit (DEADLINE_EXCEEDED|CANCELLED)$/);
  });

  it.each(['600H', '99999999H'])('has the caller’s deadline also where that is %s', async (timeout) => {
    h.armada.answer = (call) => call.end();
    const call = h.http2Call({ 'grpc-timeout': timeout });
    let code: unknown;
    for (const event of ['response', 'trailers']) {
      call.on(event, (headers: Record<string, unknown>) => (code ??= headers['grpc-status']));
    }
    call.resume();
    await eventually('it has ended', () => code !== undefined);
    expect(code).toBe('0');
    const leftMs = Number(h.received(0).getDeadline()) - Date.now();
    expect(leftMs / 3_600_000).toBeCloseTo(parseInt(timeout), 0);
  });

  it('has no deadline where the caller has none', async () => {
    await h.client.call(SUBMIT, HELLO);
    expect(h.received(0).getDeadline()).toBe(Infinity);
  });

  it('may be compressed', async () => {
    h.compressWith(compressionAlgorithms.gzip);
    const message = Buffer.alloc(MEBIBYTE, 'armadactl');
    const { messages } = await h.client.call(SUBMIT, message);
    expect(messages[0]?.equals(message)).toBe(true);
    expect(h.received(0).metadata.get('grpc-encoding')).toEqual([]);
  });

  it.each([
    ['a request', 5 * MEBIBYTE, 0],
    ['a compressed request', 5 * MEBIBYTE, compressionAlgorithms.gzip],
  ])('is ended by %s that is too large, with the limit in the text', async (_, bytes, algorithm) => {
    h.compressWith(algorithm);
    const { status: end } = await h.client.call(SUBMIT, Buffer.alloc(bytes));
    expect(end).toMatchObject({ code: status.RESOURCE_EXHAUSTED });
    expect(end.details).toContain(`${4 * MEBIBYTE}`);
    await eventually('Armada sees the cancellation', () => h.armada.calls.every((call) => call.cancelled));
  });

  it('is ended by an answer that is too large, with the limit in the text', async () => {
    h.armada.answer = (call) => call.write(Buffer.alloc(5 * MEBIBYTE));
    const { messages, status: end } = await h.client.call(SUBMIT, HELLO);
    expect([messages, end.code]).toEqual([[], status.RESOURCE_EXHAUSTED]);
    expect(end.details).toContain(`${4 * MEBIBYTE}`);
  });

  it('names the address of a server that cannot be reached', async () => {
    await h.restart(`127.0.0.1:${await freePort()}`);
    const { status: end } = await h.client.call(SUBMIT, HELLO);
    expect(end.code).toBe(status.UNAVAILABLE);
    expect(end.details).toContain(`Armada at ${h.armadaAddress} cannot be reached: `);
  });

  it('names the address where the connection to Armada is lost; the next call finds Armada again', async () => {
    h.armada.answer = (call) => void call.write(HELLO);
    const sockets = await h.restartBehindRelay();
    const call = h.client.open(LEASE);
    call.write(HELLO);
    const outcome = outcomeOf(call);
    await new Promise((resolve) => call.once('data', resolve));
    for (const socket of sockets) socket.destroy();
    expect((await outcome).status).toMatchObject({
      code: status.UNAVAILABLE,
      details: `the connection to Armada at ${h.armadaAddress} was lost`,
    });
    h.armada.answer = echo;
    await eventually(
      'Armada answers',
      async () => (await h.client.call(SUBMIT, HELLO)).status.code === status.OK,
    );
  });

  it('keeps Armada’s text where Armada itself answers UNAVAILABLE', async () => {
    h.armada.answer = (call) => call.emit('error', { code: status.UNAVAILABLE, details: 'my store is away' });
    expect((await h.client.call(SUBMIT, HELLO)).status.details).toBe('my store is away');
  });
});

describe('an observer of a forwarded method', () => {
  it('sees the request and the answer, which is held back for it', async () => {
    const order: string[] = [];
    let observed = (): void => undefined;
    h.observers.set(SUBMIT, async (question, answer) => {
      order.push(`${question.toString()} ${answer.toString()}`);
      await new Promise<void>((resolve) => (observed = resolve));
      order.push('observed');
    });
    h.armada.answer = (call) => {
      call.write(Buffer.from('answer'));
      call.end();
    };
    const outcome = h.client.call(SUBMIT, HELLO).then((came) => {
      order.push('answered');
      return came;
    });
    await eventually('it is observed', () => order.length === 1);
    observed();
    expect((await outcome).messages).toEqual([Buffer.from('answer')]);
    expect(order).toEqual(['hello answer', 'observed', 'answered']);
  });

  it('sees what Armada gets of a compressed request', async () => {
    let seen: Buffer | undefined;
    h.observers.set(SUBMIT, (question) => {
      seen = question;
      return Promise.resolve();
    });
    h.compressWith(compressionAlgorithms.gzip);
    const message = Buffer.alloc(1_000, 'submit');
    const { messages } = await h.client.call(SUBMIT, message);
    expect(messages).toEqual([message]);
    expect(seen).toEqual(message);
  });

  it('sees nothing of a call that Armada rejects, or of another method', async () => {
    let observed = 0;
    h.observers.set(SUBMIT, () => {
      observed++;
      return Promise.resolve();
    });
    h.armada.answer = (call) => call.emit('error', { code: status.PERMISSION_DENIED, details: 'no' });
    await h.client.call(SUBMIT, HELLO);
    h.armada.answer = echo;
    await h.client.call(NEW_METHOD, HELLO);
    expect(observed).toBe(0);
  });
});
