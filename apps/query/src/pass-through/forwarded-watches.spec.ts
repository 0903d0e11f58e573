import type { ArmadaVerdict } from '@ajs/auth';
import { WatchRequest } from '@ajs/contracts/api/event';
import { eventually, hostileMessages, wireField, wireVarint } from '@ajs/testing';
import { compressionAlgorithms, status, type Metadata } from '@grpc/grpc-js';
import {
  EVENTS,
  HELLO,
  PassThroughHarness,
  SUBMIT,
  WATCH,
  echo,
  readRequest,
  withHeaders,
} from './testing/pass-through-harness.js';
import { outcomeOf } from './testing/raw-calls.js';

const NOTHING = new Uint8Array();
/** The first message of a watch of queue `q`, by the method that it opens. */
const watchRequest = (path: string): Buffer =>
  path === WATCH
    ? Buffer.from(WatchRequest.encode({ ...WatchRequest.decode(NOTHING), queue: 'q' }).finish())
    : readRequest(true);

let h: PassThroughHarness;
beforeEach(async () => {
  h = await PassThroughHarness.start();
});
afterEach(() => h.stop());

describe('forwarded watches', () => {
  beforeEach(() => {
    h.armada.answer = (call) => void call.write(HELLO);
  });

  async function watch(path = EVENTS, message = watchRequest(path), metadata?: Metadata) {
    const call = h.client.open(path, metadata);
    const outcome = outcomeOf(call);
    call.end(message);
    await Promise.race([new Promise((resolve) => call.once('data', resolve)), outcome]);
    return { call, outcome };
  }

  it('are rejected at their limit, and do not reach Armada', async () => {
    const [first] = [await watch(), await watch(WATCH)];
    expect(await h.openWatches()).toBe(2);
    for (const path of [EVENTS, WATCH]) {
      const { status: end } = await (await watch(path)).outcome;
      expect(end.code).toBe(status.RESOURCE_EXHAUSTED);
      expect(end.details).toContain('forwards at most 2 watches at once (MAX_FORWARDED_WATCHES)');
    }
    expect(h.armada.calls).toHaveLength(2);
    first.call.cancel();
    await eventually('it no longer counts', async () => (await h.openWatches()) === 1);
    await watch();
    expect(h.armada.calls).toHaveLength(3);
  });

  it.each(hostileMessages(4))(
    'are refused where it is not certain which queue they are of: $title',
    async ({ bytes }) => {
      const { status: end } = await (await watch(EVENTS, Buffer.concat([bytes, wireField(1, 's')]))).outcome;
      expect(end.code).toBe(status.INVALID_ARGUMENT);
      expect(end.details).toMatch(/^cannot tell .*: .+; the call was not forwarded to Armada$/);
      expect([h.armada.calls.length, await h.openWatches()]).toEqual([0, 0]);
    },
  );

  it.each(hostileMessages(1))('are refused likewise by the newer method: $title', async ({ bytes }) => {
    expect((await (await watch(WATCH, bytes)).outcome).status.code).toBe(status.INVALID_ARGUMENT);
    expect([h.armada.calls.length, await h.openWatches()]).toEqual([0, 0]);
  });

  it('cannot hide behind a tag of 2^33, where Armada’s decoder goes on', async () => {
    const hidden = Buffer.concat([readRequest(false), wireVarint(2 ** 33), Buffer.from('001001', 'hex')]);
    expect((await (await watch(EVENTS, hidden)).outcome).status.code).toBe(status.INVALID_ARGUMENT);
    expect(h.armada.calls).toHaveLength(0);
  });

  it('are not looked for in a request that is too long to be one', async () => {
    const longest = 65_536;
    const read = readRequest(false);
    const filled = (bytes: number) => wireField(6, Buffer.alloc(bytes - read.length - 4));
    await watch(EVENTS, Buffer.concat([read, filled(longest)]));
    expect(await h.openWatches()).toBe(1);
    const { status: end } = await (await watch(EVENTS, Buffer.concat([read, filled(longest + 1)]))).outcome;
    expect(end).toMatchObject({
      code: status.INVALID_ARGUMENT,
      details: expect.stringContaining('longer than 65536 bytes') as string,
    });
  });

  it('include reads with fields that only a newer Armada knows', async () => {
    await watch(EVENTS, Buffer.concat([readRequest(false), wireField(6, 'x')]));
    expect([h.armada.calls.length, await h.openWatches()]).toEqual([1, 1]);
  });

  it('are told apart from reads also where they are compressed', async () => {
    h.compressWith(compressionAlgorithms.gzip);
    await watch(EVENTS, readRequest(false));
    expect(await h.openWatches()).toBe(0);
    await watch();
    expect([h.armada.calls.length, await h.openWatches()]).toEqual([2, 1]);
  });

  it('no longer count when Armada has ended them', async () => {
    h.armada.answer = (call) => call.emit('error', { code: status.NOT_FOUND, details: 'no queue' });
    for (let i = 0; i < 5; i++) {
      expect((await (await watch()).outcome).status.code).toBe(status.NOT_FOUND);
    }
    expect(await h.openWatches()).toBe(0);
  });

  it('have no duration among those of other calls', async () => {
    h.armada.answer = (call) => call.end();
    await (
      await watch()
    ).outcome;
    expect(await h.measuredCalls()).toBe(0);
    await (
      await watch(EVENTS, readRequest(false))
    ).outcome;
    expect(await h.measuredCalls()).toBe(1);
  });

  describe('whose permission is rechecked', () => {
    let checks: [authorization: string | undefined, queue: string][];
    let verdict: ArmadaVerdict | Error;

    beforeEach(() => {
      checks = [];
      verdict = 'yes';
      h.mayWatch = (...of) => {
        checks.push(of);
        return verdict instanceof Error ? Promise.reject(verdict) : Promise.resolve(verdict);
      };
    });

    const watchAs = (authorization?: string, path = EVENTS) =>
      watch(
        path,
        watchRequest(path),
        authorization === undefined ? undefined : withHeaders({ authorization }),
      );
    const times = (n: number) => eventually('it is rechecked', () => checks.length >= n);

    it.each([EVENTS, WATCH])('go on while Armada allows them, or does not answer: %s', async (path) => {
      const { outcome } = await watchAs('Bearer their-own', path);
      for (const answer of ['yes', 'no-queue', new Error('no answer')] as const) {
        verdict = answer;
        await times(checks.length + 2);
      }
      expect(new Set(checks.map(String))).toEqual(new Set(['Bearer their-own,q']));
      expect(await h.openWatches()).toBe(1);
      verdict = 'no';
      expect((await outcome).status.code).toBe(status.PERMISSION_DENIED);
    });

    it('end when the permission is gone, and name it', async () => {
      const { outcome } = await watchAs();
      verdict = 'no';
      const { status: end, messages } = await outcome;
      expect(end.code).toBe(status.PERMISSION_DENIED);
      expect(end.details).toMatch(/queue "q".*watch_all_events/);
      expect(messages).toEqual([HELLO]);
      expect(checks[0]).toEqual([undefined, 'q']);
      await eventually('Armada sees the cancellation', () => h.received(0).cancelled);
      expect(await h.openWatches()).toBe(0);
    });

    it('are rechecked for the queue in them also where a newer client adds fields', async () => {
      const request = Buffer.concat([readRequest(true), wireField(6, 'x')]);
      await watch(EVENTS, request, withHeaders({ authorization: 'Bearer their-own' }));
      await times(1);
      expect(checks[0]).toEqual(['Bearer their-own', 'q']);
    });

    it('end when Armada no longer accepts the credentials', async () => {
      const { outcome } = await watchAs('Bearer their-own');
      verdict = 'bad-credentials';
      const { status: end } = await outcome;
      expect(end.code).toBe(status.UNAUTHENTICATED);
      expect(end.details).not.toContain('their-own');
    });

    it('end when the token expires, whatever Armada says', async () => {
      const claims = Buffer.from(JSON.stringify({ exp: Math.floor(Date.now() / 1000) + 1 }));
      const { outcome } = await watchAs(`Bearer e30.${claims.toString('base64url')}.c2ln`);
      const { status: end } = await outcome;
      expect(end.code).toBe(status.UNAUTHENTICATED);
      expect(end.details).toContain('the credentials (authorization) have expired');
    });

    it('are not rechecked when they have ended', async () => {
      const { call } = await watchAs();
      await times(1);
      call.cancel();
      await eventually('it no longer counts', async () => (await h.openWatches()) === 0);
      const before = checks.length;
      const other = await watchAs('Bearer other');
      await times(before + 3);
      expect(checks.slice(before).every(([who]) => who === 'Bearer other')).toBe(true);
      other.call.cancel();
    });
  });

  it('end at once when the server stops, while running calls finish', async () => {
    const { outcome } = await watch();
    const answers: (() => void)[] = [];
    h.armada.answer = (call) => answers.push(() => echo(call));
    const submit = h.client.call(SUBMIT, HELLO);
    await eventually('the submit is under way', () => answers.length === 1);
    const stopped = h.server.stop();
    expect((await outcome).status).toMatchObject({
      code: status.UNAVAILABLE,
      details: 'this replica is shutting down; retry',
    });
    await eventually('Armada sees the cancellation', () => h.received(0).cancelled);
    answers[0]?.();
    expect(await submit).toMatchObject({ status: { code: status.OK }, messages: [HELLO] });
    await stopped;
  });
});
