import { loadSettings } from '@ajs/config';
import { Cursor, JobId, addMs, toMs, type JobSetKey } from '@ajs/job-state';
import type { JobSetWriter } from '@ajs/job-store';
import { IngesterMetrics, createLog } from '@ajs/observability';
import { armadaNow } from '@ajs/platform';
import { ARMADA, ProcessModule } from '@ajs/runtime';
import { Reconciler } from '@ajs/subscriptions';
import { Test } from '@nestjs/testing';
import { ReconciliationModule } from './reconciliation.module.js';

const KEY: JobSetKey = { queue: 'q', jobSetId: 's' };
const MINUTE = 60_000;
const ENV = { RECONCILE_UNFINISHED_AFTER: '10m', EVENT_RETENTION: '2h' };

/** The jobs that Armada's `api.Jobs` is asked for, of a job set that was read last, and whose jobs changed last, so long ago. */
async function compared(readAgoMs: number, changedAgoMs: readonly number[]): Promise<readonly string[]> {
  const asked: string[] = [];
  const details = (jobIds: readonly string[]) => {
    asked.push(...jobIds);
    return Promise.resolve(new Map());
  };
  const settings = loadSettings({ argv: [], env: ENV });
  const log = createLog('ingester', 'info', { write: () => undefined });
  const module = await Test.createTestingModule({
    imports: [ProcessModule.of({ settings, log, metrics: new IngesterMetrics() }), ReconciliationModule],
  })
    .overrideProvider(ARMADA)
    .useValue({ jobs: { details }, close: () => undefined })
    .compile();
  const writer = {
    key: KEY,
    cursor: Cursor(`${toMs(armadaNow()) - readAgoMs}:0:0:1`),
    unfinished: changedAgoMs.length,
    // eslint-disable-next-line @typescript-eslint/require-await -- as the store's own
    unfinishedJobs: async function* () {
      yield new Map(changedAgoMs.map((ms) => [JobId(`${ms / MINUTE} min`), addMs(armadaNow(), -ms)]));
    },
  };
  const rounds = module.get(Reconciler).roundsOf(writer as unknown as JobSetWriter, {
    repair: () => Promise.resolve([]),
    markReconciled: () => undefined,
  });
  await rounds.settle();
  await module.close();
  return asked;
}

describe('reconciliation', () => {
  it('compares jobs that have not changed for as long as its settings say', async () => {
    expect(await compared(0, [9 * MINUTE, 11 * MINUTE])).toEqual(['11 min']);
  });

  it('compares all jobs of a job set that was read before what Armada keeps, by its settings', async () => {
    expect(await compared(119 * MINUTE, [MINUTE])).toEqual([]);
    expect(await compared(121 * MINUTE, [MINUTE])).toEqual(['1 min']);
  });
});
