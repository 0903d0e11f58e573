import { JobId } from '@ajs/job-state';
import { IngesterMetrics, createLog } from '@ajs/observability';
import { ReconcileLog } from './reconcile-log.js';

const KEY = { queue: 'q', jobSetId: 's' };

let lines: { readonly level: string; readonly repaired?: number; readonly msg: string }[];
let metrics: IngesterMetrics;
let rounds: ReconcileLog;

beforeEach(() => {
  lines = [];
  metrics = new IngesterMetrics();
  const log = createLog('ingester', 'info', {
    write: (line: string) => lines.push(JSON.parse(line) as (typeof lines)[number]),
  });
  rounds = new ReconcileLog(log, metrics);
});

const outcomes = async () =>
  (await metrics.reconciliations.get()).values.map(({ labels, value }) => [labels.outcome, value]);

describe('the log of reconciliation', () => {
  it('counts the jobs that were repaired, and has one warning for the round', async () => {
    rounds.repaired(KEY, [JobId('a'), JobId('b')]);
    rounds.repaired(KEY, [JobId('c')]);
    rounds.roundEnded(KEY, 3);
    expect(lines).toMatchObject([{ level: 'warn', ...KEY, repaired: 3 }]);
    expect((await metrics.repairedJobs.get()).values).toMatchObject([{ value: 3 }]);
    expect(await outcomes()).toEqual([['complete', 1]]);
  });

  it('says nothing of a round that found nothing', async () => {
    rounds.roundEnded(KEY, 0);
    expect(lines).toEqual([]);
    expect(await outcomes()).toEqual([['complete', 1]]);
  });

  it('has one warning for rounds that fail for the same reason, and counts each', async () => {
    for (let n = 0; n < 3; n++) rounds.roundEnded(KEY, 0, new Error('UNAVAILABLE: no'));
    expect(lines).toMatchObject([{ level: 'warn', ...KEY, err: { message: 'UNAVAILABLE: no' } }]);
    expect(await outcomes()).toEqual([['failed', 3]]);
  });

  it('warns where Armada has no api.Jobs', () => {
    rounds.switchedOff('UNIMPLEMENTED: unknown method');
    expect(lines).toMatchObject([{ level: 'warn', reason: 'UNIMPLEMENTED: unknown method' }]);
  });
});
