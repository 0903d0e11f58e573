import { ArmadaTime, addMs, toMs, type JobId, type JobSetKey, type RedisTime } from '@ajs/job-state';
import { monotonicNow } from '@ajs/platform';
import type { JobSetWriter, SubscriptionView } from '../ports.js';
import { LIVE, aBatch, aJobId, aJobSet, type StoreUnderTest } from './fixtures.js';

/** What a store reports while Armada's `api.Jobs` is ahead of a job set's stream. */
export function describeEventLag(storeUnderTest: () => StoreUnderTest): void {
  describe('while api.Jobs is ahead of the stream', () => {
    let store: StoreUnderTest;
    let key: JobSetKey;
    let writer: JobSetWriter;
    let now: RedisTime;
    beforeEach(async () => {
      store = storeUnderTest();
      key = aJobSet();
      writer = await store.sink.open(key);
      ({ now } = await store.lister.read(key, []));
    });

    const ago = (ms: number): ArmadaTime => addMs(ArmadaTime(toMs(now)), -ms);
    const reportAt = (at: ArmadaTime, jobId: JobId = aJobId()): Promise<unknown> =>
      store.provisional.report(key, new Map([[jobId, { state: 'RUNNING', at, leasedAt: at }]]));
    /** The owner has read the stream again, up to now. */
    async function read(more: Parameters<typeof aBatch>[2] = {}): Promise<SubscriptionView | undefined> {
      await writer.reload();
      const synced = { ...LIVE, syncedAt: monotonicNow() };
      await writer.write(aBatch(writer.cursor, {}, { subscription: synced, ...more }));
      return (await store.lister.read(key, [])).subscription;
    }

    it('a job set is stalled, says by how much, and is synced as of before', async () => {
      await reportAt(ago(40_000));
      await reportAt(ago(20_000));
      expect(await read()).toEqual({
        state: 'stalled',
        reason: expect.stringMatching(/^Armada's events lag behind its api.Jobs by 4\d s$/) as string,
        syncedAt: toMs(ago(40_000)),
      });
      expect(writer.eventLagMs).toBeGreaterThanOrEqual(40_000);
    });

    it('a job set is live until that is longer than usual', async () => {
      await reportAt(ago(1_000));
      expect(await read()).toEqual({ ...LIVE, syncedAt: toMs(ago(1_000)) });
      expect(writer.eventLagMs).toBe(0);
    });

    it('a job set whose stream was not read since is not taken for one that lags', async () => {
      await read();
      await reportAt(addMs(ago(0), 20_000));
      expect((await store.lister.read(key, [])).subscription?.state).toBe('live');
    });

    it('a job set that is not live for another reason says that one', async () => {
      await reportAt(ago(40_000));
      const denied = { state: 'denied', reason: 'no', syncedAt: monotonicNow() } as const;
      expect(await read({ subscription: denied })).toMatchObject({ state: 'denied', reason: 'no' });
    });

    it('lags less once the stream has shown some of it, and no more once it has shown all', async () => {
      for (const ms of [20_000, 40_000, 10_000]) await reportAt(ago(ms));
      const some = await read({ shownUntil: ago(30_000) });
      expect(some).toMatchObject({ state: 'stalled', syncedAt: toMs(ago(30_000)) });
      expect(writer.eventLagMs).toBeLessThan(40_000);
      expect(await read({ shownUntil: ago(35_000) })).toMatchObject({ syncedAt: toMs(ago(30_000)) });
      expect(await read({ shownUntil: addMs(ago(10_000), -1) })).toMatchObject({ state: 'stalled' });
      expect(await read({ shownUntil: ago(10_000) })).toMatchObject(LIVE);
      expect(writer.eventLagMs).toBe(0);
      expect(await read()).toMatchObject(LIVE);
    });

    it('lags no more once it was compared with api.Jobs: what was missing never comes', async () => {
      for (const ms of [40_000, 10_000]) await reportAt(ago(ms));
      expect(await read()).toMatchObject({ state: 'stalled' });
      expect(await read({ reconciled: true })).toMatchObject(LIVE);
      // What is reported later is compared with the stream by itself.
      await reportAt(ago(20_000));
      expect(await read()).toMatchObject({ state: 'stalled' });
      expect(await read({ shownUntil: ago(20_000) })).toMatchObject(LIVE);
    });

    it('does not lag where Armada may have no events any more, nor where nothing new was reported', async () => {
      await reportAt(ago(3_700_000));
      expect(await read()).toMatchObject(LIVE);
      const jobId = aJobId();
      const record = {
        state: 'RUNNING',
        runNumber: 1,
        changedAt: ago(40_000),
        run: { leasedAt: ago(40_000) },
      } as const;
      await writer.write(aBatch('1:0:0:1', { [jobId]: record }));
      await reportAt(ago(40_000), jobId);
      expect(await read()).toMatchObject(LIVE);
    });
  });
}
