import type { ArmadaVerdict } from '@ajs/auth';
import { JobSetRequest, WatchRequest } from '@ajs/contracts/api/event';
import { eventually } from '@ajs/testing';
import { status, type Metadata } from '@grpc/grpc-js';
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

let h: PassThroughHarness;
beforeEach(async () => {
  h = await PassThroughHarness.start();
});
afterEach(() => h.stop());

describe('forwarded watches', () => {
  beforeEach(() => {
    h.armada.answer = (call) => void call.write(HELLO);
  });

  async function watch(path = EVENTS, message = readRequest(true), metadata?: Metadata) {
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
      expect(end.details).toContain('forwards 2 at once (MAX_FORWARDED_WATCHES)');
    }
    expect(h.armada.calls).toHaveLength(2);
    first.call.cancel();
    await eventually('it no longer counts', async () => (await h.openWatches()) === 1);
    await watch();
    expect(h.armada.calls).toHaveLength(3);
  });

  it('include what the query cannot decode', async () => {
    await watch(EVENTS, Buffer.from([0x0a, 0xff]));
    expect(await h.openWatches()).toBe(1);
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

    const message = (path: string): Buffer => {
      const nothing = new Uint8Array();
      const bytes =
        path === WATCH
          ? WatchRequest.encode({ ...WatchRequest.decode(nothing), queue: 'q' })
          : JobSetRequest.encode({ ...JobSetRequest.decode(nothing), queue: 'q', watch: true });
      return Buffer.from(bytes.finish());
    };
    const watchAs = (authorization?: string, path = EVENTS) =>
      watch(path, message(path), authorization === undefined ? undefined : withHeaders({ authorization }));
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
