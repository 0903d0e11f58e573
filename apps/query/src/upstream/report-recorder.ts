import type { ReportedJob } from '@ajs/armada-client';
import { JobId, report, type JobReport, type JobSetKey } from '@ajs/job-state';
import type { JobStatus, ProvisionalJobSink } from '@ajs/job-store';
import { FairCache } from '@ajs/platform';
import type { NoteInterest } from '../interest/note-interest.js';
import { groupByJobSet } from '../store/group-by-job-set.js';
import { RedisReadError, fromRedis } from '../store/redis-read.js';

/** Jobs answered without Redis that are kept in memory. Queues share the room: callers of one queue cannot make those of another see a state undone. */
const MAX_TOLD = 10_000;

type JobSetReport = readonly [key: JobSetKey, report: readonly [jobId: JobId, report: JobReport]];

export interface ReportRecorderOptions {
  readonly sink: Pick<ProvisionalJobSink, 'report'>;
  readonly noteInterest: NoteInterest;
  readonly redisFailed: (error: Error) => void;
}

/**
 * Writes what Armada's own `api.Jobs` reports into Redis before it is answered (P1), and has the job sets followed from then on: no later
 * answer, by whichever replica and API, then shows an earlier state.
 */
export class ReportRecorder {
  /** What was answered while Redis did not take it: to be written before anything else is answered about these jobs. */
  private readonly told = new FairCache<JobId, JobSetReport>(MAX_TOLD);

  constructor(private readonly options: ReportRecorderOptions) {}

  /**
   * Resolves to what Redis holds of these jobs now: answer that, which may be further than what was reported. Left out are jobs that cannot
   * be recorded: their record cannot be read, or Redis does not take the report.
   */
  async record(jobs: Iterable<ReportedJob>): Promise<Map<JobId, JobStatus>> {
    const held = new Map<JobId, JobStatus>();
    await Promise.all(
      groupByJobSet(jobSetReports(jobs)).map(async ({ key, tag, items }) => {
        this.options.noteInterest(key, tag);
        const owed = this.owedOf(items);
        try {
          for (const [jobId, status] of await this.options.sink.report(key, furthest(items, owed))) {
            held.set(jobId, status);
            this.forget(jobId, owed);
          }
        } catch (error) {
          this.options.redisFailed(error as Error);
        }
      }),
    );
    return held;
  }

  /** Callers are answered what Armada reports of these jobs, although it could not be recorded (P5). */
  toldUnrecorded(jobs: Iterable<ReportedJob>): void {
    for (const [key, [jobId, reported]] of jobSetReports(jobs)) {
      const further = furtherOf(this.told.get(jobId), reported);
      this.told.set(jobId, [key, [jobId, further]], key.queue);
    }
  }

  /**
   * To be awaited right before each read of any of these jobs from Redis: what was answered without Redis is written now. `undefined`
   * where there is nothing to write, as almost always. Rejects with RedisReadError where Redis cannot be read either. A Redis that only
   * takes no writes may hold an earlier state, which is better than none (P5).
   */
  settle(jobIds: readonly JobId[]): Promise<void> | undefined {
    if (this.told.size === 0) return undefined;
    const owed = jobIds.flatMap((jobId) => {
      const told = this.told.get(jobId);
      return told === undefined ? [] : [told];
    });
    return owed.length === 0 ? undefined : this.write(owed);
  }

  private owedOf(items: readonly JobSetReport[1][]): ReadonlyMap<JobId, JobSetReport | undefined> {
    return new Map(items.map(([jobId]) => [jobId, this.told.get(jobId)]));
  }

  /** What was answered while the report was on its way is still owed: Redis may have failed another call meanwhile. */
  private forget(jobId: JobId, owed: ReadonlyMap<JobId, JobSetReport | undefined>): void {
    if (this.told.get(jobId) === owed.get(jobId)) this.told.delete(jobId);
  }

  private async write(owed: readonly JobSetReport[]): Promise<void> {
    await Promise.all(
      groupByJobSet(owed).map(async ({ key, items }) => {
        const written = this.owedOf(items);
        try {
          await fromRedis(this.options.sink.report(key, new Map(items)));
          for (const [jobId] of items) this.forget(jobId, written);
        } catch (error) {
          if (!(error instanceof RedisReadError && error.kind === 'write-refused')) throw error;
          this.options.redisFailed(error.cause);
        }
      }),
    );
  }
}

/** With what is owed in the place of a report that is behind it. */
function furthest(
  reports: readonly JobSetReport[1][],
  owed: ReadonlyMap<JobId, JobSetReport | undefined>,
): Map<JobId, JobReport> {
  return new Map(reports.map(([jobId, reported]) => [jobId, furtherOf(owed.get(jobId), reported)]));
}

/** The one that shows the job further in its life, as Redis judges it: a report that Armada gave before may come after the other. */
function furtherOf(owed: JobSetReport | undefined, reported: JobReport): JobReport {
  if (owed === undefined) return reported;
  const before = owed[1][1];
  const record = report(undefined, before);
  return report(record, reported) === record ? before : reported;
}

/** Without those that this version does not understand, or that no stream holds: a job without a job set. */
function jobSetReports(jobs: Iterable<ReportedJob>): JobSetReport[] {
  return Array.from(jobs).flatMap(({ details: { jobId, queue, jobset }, report: reported }) =>
    reported === undefined || queue === '' || jobset === ''
      ? []
      : [[{ queue, jobSetId: jobset }, [JobId(jobId), reported]] as const],
  );
}
