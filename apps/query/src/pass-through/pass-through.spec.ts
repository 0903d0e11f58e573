import { JobServiceService } from '@ajs/contracts/jobservice/jobservice';
import { eventually } from '@ajs/testing';
import { status } from '@grpc/grpc-js';
import {
  EVENTS,
  HELLO,
  LEASE,
  MEBIBYTE,
  MAX_CALLS,
  PassThroughHarness,
  SUBMIT,
  WATCH,
  readRequest,
  withHeaders,
} from './testing/pass-through-harness.js';
import { outcomeOf } from './testing/raw-calls.js';

let h: PassThroughHarness;
beforeEach(async () => {
  h = await PassThroughHarness.start();
});
afterEach(() => h.stop());

describe('a call that is not forwarded', () => {
  it.each(['/api.Jobs/New', '/api.Node/X', '/api.Submit/', '/api.Submit/a/b'])(
    'is UNIMPLEMENTED: %s',
    async (path) => {
      expect((await h.client.call(path, HELLO)).status.code).toBe(status.UNIMPLEMENTED);
      expect(h.armada.calls).toHaveLength(0);
    },
  );

  it('is answered by the query, with the limit of its own requests', async () => {
    const encode = (jobId: string): Buffer =>
      JobServiceService.getJobStatus.requestSerialize({ jobId, queue: 'q', jobSetId: 's' });
    const { path } = JobServiceService.getJobStatus;
    expect((await h.client.call(path, encode('known'))).status).toMatchObject({
      code: status.NOT_FOUND,
      details: 'known',
    });
    const { status: end } = await h.client.call(path, encode('x'.repeat(2 * MEBIBYTE)));
    expect(end.code).toBe(status.RESOURCE_EXHAUSTED);
    expect(end.details).toContain(`at most ${MEBIBYTE}`);
    const { messages } = await h.client.call('/grpc.health.v1.Health/Check', Buffer.alloc(0));
    expect(messages).toEqual([Buffer.from([8, 1])]);
    expect(h.armada.calls).toHaveLength(0);
  });
});

describe('forwarded calls', () => {
  it('leave room for those of others, whoever makes as many as it can', async () => {
    h.keyOf = ({ authorization }) => String(authorization[0]);
    const answer = h.armada.answer;
    h.armada.answer = () => undefined;
    const flood = Array.from({ length: 20 }, () =>
      h.client.open(SUBMIT, withHeaders({ authorization: 'Bearer flood' })),
    );
    const outcomes = flood.map(outcomeOf);
    for (const call of flood) call.end(HELLO);
    const { status: end } = await Promise.any(outcomes);
    expect(end).toMatchObject({
      code: status.RESOURCE_EXHAUSTED,
      details: expect.stringMatching(/^your share is used up: .*MAX_FORWARDED_CALLS/) as string,
    });
    await eventually('Armada has the share', () => h.armada.calls.length === 3);
    h.armada.answer = answer;
    const another = h.client.open(SUBMIT, withHeaders({ authorization: 'Bearer another' }));
    another.end(HELLO);
    expect((await outcomeOf(another)).status.code).toBe(status.OK);
    for (const call of flood) call.cancel();
    await Promise.all(outcomes);
  });

  it('are counted as UNKNOWN where Armada ends them with a number that is no code', async () => {
    h.armada.answer = (call) => call.emit('error', { code: 99, details: 'from another time' });
    await h.client.call(SUBMIT, HELLO);
    expect(await h.endedCalls()).toEqual({ 'api.Submit UNKNOWN': 1 });
  });

  it.each([
    ['any', SUBMIT, HELLO],
    ['reads of events', EVENTS, readRequest(false)],
  ])('are rejected at their limit, and do not reach Armada: %s', async (_, path, message) => {
    const answer = h.armada.answer;
    h.armada.answer = () => undefined;
    const calls = Array.from({ length: MAX_CALLS }, () => h.client.open(path));
    const outcomes = calls.map(outcomeOf);
    for (const call of calls) call.end(message);
    await eventually('Armada has them', () => h.armada.calls.length === MAX_CALLS);
    const { status: end } = await h.client.call(SUBMIT, HELLO);
    expect(end.code).toBe(status.RESOURCE_EXHAUSTED);
    expect(end.details).toMatch(/forwards at most 5 calls at once \(MAX_FORWARDED_CALLS\); retry/);
    expect(h.armada.calls).toHaveLength(MAX_CALLS);
    h.armada.answer = answer;
    const watch = h.client.open(EVENTS);
    watch.end(readRequest(true));
    expect((await outcomeOf(watch)).status.code).toBe(status.OK);
    calls[0]?.cancel();
    await outcomes[0];
    await eventually(
      'it no longer counts',
      async () => (await h.client.call(SUBMIT, HELLO)).status.code === status.OK,
    );
    for (const call of calls) call.cancel();
  });

  it('do not count, and do not reach Armada, while only their headers have come', async () => {
    const paths = [SUBMIT, LEASE, EVENTS, WATCH];
    const calls = Array.from({ length: 2 * MAX_CALLS }, (_, i) => h.client.open(paths[i % 4] ?? ''));
    expect((await h.client.call(SUBMIT, HELLO)).status.code).toBe(status.OK);
    expect(h.armada.calls).toHaveLength(1);
    for (const call of calls) call.cancel();
  });
});

describe('credentials and headers of forwarded calls', () => {
  it('carry exactly the caller’s authorization, or none', async () => {
    await h.client.call(SUBMIT, HELLO, withHeaders({ authorization: 'Bearer the.callers.own' }));
    await h.client.call(SUBMIT, HELLO);
    expect(h.received(0).metadata.get('authorization')).toEqual(['Bearer the.callers.own']);
    expect(h.received(1).metadata.get('authorization')).toEqual([]);
  });

  it.each(['Basic c2VjcmV0', 'Bearer se cret', 'secret'])(
    'are rejected where malformed, without naming them, and never reach Armada: %s',
    async (authorization) => {
      const { status: end } = await h.client.call(SUBMIT, HELLO, withHeaders({ authorization }));
      expect(end.code).toBe(status.UNAUTHENTICATED);
      expect(end.details).toContain('the metadata "authorization"');
      expect(end.details).not.toContain('cret');
      expect(h.armada.calls).toHaveLength(0);
    },
  );

  it('stay on their connection where they are of one hop', async () => {
    h.http2Call({
      'user-agent': 'armadactl/1',
      'proxy-authorization': 'Basic c2VjcmV0',
      'accept-encoding': 'br',
      'grpc-previous-rpc-attempts': '3',
      'x-kept': 'yes',
    });
    const { metadata } = await eventually('Armada has it', () => h.armada.calls[0]);
    expect(metadata.getMap()).toEqual({
      'x-kept': 'yes',
      'user-agent': expect.stringMatching(/^grpc-node-js/) as string,
    });
  });

  it('of the answer stay on their connection where they are of one hop', async () => {
    const { initial, status: end } = await h.client.call(SUBMIT, HELLO);
    expect(Object.keys({ ...initial?.getMap(), ...end.metadata.getMap() }).sort()).toEqual([
      'content-type',
      'date',
    ]);
    h.armada.answer = (call) => call.emit('error', { code: status.ABORTED, details: '' });
    const failed = await h.client.call(SUBMIT, HELLO);
    expect(failed.status.metadata.get('content-type')).toEqual(['application/grpc+proto']);
  });
});

describe('memory of forwarded calls', () => {
  const MESSAGE = Buffer.alloc(64 * 1024);

  /** Writes for as long as it may; counts. */
  function flood(
    target: { write(message: Buffer): boolean; once(event: 'drain', then: () => void): unknown },
    count: () => boolean,
    message = MESSAGE,
  ): void {
    while (count()) {
      if (!target.write(message)) {
        target.once('drain', () => flood(target, count, message));
        return;
      }
    }
  }

  it('is bounded where the caller is slow: Armada is slowed down, too', async () => {
    const wanted = 1_000;
    let sent = 0;
    h.armada.answer = (call) => {
      flood(call, () => sent++ < wanted);
    };
    const call = h.client.open(LEASE);
    call.write(HELLO);
    let received = 0;
    // The first message, and then nothing is taken any more.
    await new Promise<void>((resolve) => call.once('readable', resolve));
    const stuck = await settled(() => sent);
    expect(stuck).toBeLessThan(100);
    call.on('data', () => received++);
    await eventually('all is there', () => received === wanted);
    call.cancel();
  });

  it('is bounded where the caller is slow and messages are empty', async () => {
    const wanted = 100_000;
    let sent = 0;
    h.armada.answer = (call) => flood(call, () => sent++ < wanted, Buffer.alloc(0));
    const call = h.client.open(LEASE);
    call.write(HELLO);
    await new Promise<void>((resolve) => call.once('readable', resolve));
    expect(await settled(() => sent)).toBeLessThan(wanted);
    call.cancel();
  });

  it('is bounded where Armada is slow: the caller is slowed down, too', async () => {
    const wanted = 1_000;
    let sent = 0;
    h.armada.answer = (call) => call.pause();
    const call = h.client.open(LEASE);
    flood(call, () => sent++ < wanted);
    await eventually('Armada has it', () => h.armada.calls.length === 1);
    const stuck = await settled(() => sent);
    expect(stuck).toBeLessThan(150);
    let received = 0;
    h.received(0)
      .on('data', () => received++)
      .resume();
    await eventually('all is there', () => received === wanted);
    call.cancel();
  });

  /** A number that has stopped growing. */
  async function settled(look: () => number): Promise<number> {
    let last = -1;
    let same = 0;
    return eventually('it stops growing', () => {
      same = look() === last ? same + 1 : 0;
      last = look();
      return same >= 20 ? last : undefined;
    });
  }
});
