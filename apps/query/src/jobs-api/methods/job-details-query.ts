import { ArmadaJobsError, type ArmadaJobs } from '@ajs/armada-client';
import type { JobDetails } from '@ajs/contracts/api/job';
import { isTerminal, type JobEnrichment, type JobRecord } from '@ajs/job-state';
import type { DetailedJob } from '@ajs/job-store';
import { toJobDetails, toMillis } from '@ajs/wire-mapping';
import type { EnrichmentRecorder, FetchedEnrichment } from '../cache/enrichment-recorder.js';
import { requireRights, type JobRights } from '../../access/job-rights.js';
import { canServeFromCache } from '../cache/can-serve-from-cache.js';
import { notSettled } from '../upstream/upstream-errors.js';
import type { CachedDetails, CachedJobs } from '../cache/cached-jobs.js';
import type { UpstreamJobResolver } from '../upstream/upstream-job-resolver.js';
import { RecentAnswers } from '../upstream/recent-answers.js';
import type { TerminalStateRecorder } from '../cache/terminal-state-recorder.js';

/** What Armada does not show yet (a run that has just begun) is asked for again no sooner. Milliseconds. */
const ASK_AGAIN_MS = 3_000;
/** Two moments that Armada tells of one event, once in the stream and once in `api.Jobs`, lie closer than this. Milliseconds. */
const SAME_MOMENT_MS = 1_000;

export interface JobDetailsExpansion {
  readonly spec: boolean;
  readonly runs: boolean;
}

export interface JobDetailsQueryOptions {
  readonly cachedJobs: CachedJobs;
  readonly resolver: UpstreamJobResolver;
  readonly armada: Pick<ArmadaJobs, 'details'>;
  readonly enrichment: EnrichmentRecorder;
  readonly terminalStates: TerminalStateRecorder;
  /** How long the stream may take to show a job that was learned. Milliseconds. */
  readonly provisionalGraceMs: number;
}

/**
 * All there is to tell of jobs: from the cache, with what only Armada knows (the id of a run, why a job was cancelled, its spec)
 * fetched from it, once a run and once an end, and the spec whenever it is asked for.
 */
export class JobDetailsQuery {
  private readonly asked = new RecentAnswers<true>(ASK_AGAIN_MS);

  constructor(private readonly options: JobDetailsQueryOptions) {}

  /**
   * The jobs that exist. Rejects with UNAVAILABLE for jobs that neither the cache nor Armada settles, and with PERMISSION_DENIED
   * for those that are not for this caller.
   */
  async run(
    jobIds: readonly string[],
    expand: JobDetailsExpansion,
    rights: JobRights,
  ): Promise<Map<string, JobDetails>> {
    const jobs = await this.options.cachedJobs.details(jobIds, rights);
    const behind = new Set(jobIds.filter((jobId) => this.isBehind(jobs.get(jobId))));
    const wanted = jobIds.filter(
      (jobId) => expand.spec || behind.has(jobId) || this.lacks(jobId, jobs.get(jobId)?.job),
    );
    const fetched = await this.fetch(
      wanted,
      expand,
      jobIds.some((jobId) => !jobs.has(jobId)),
    );
    await requireRights(rights, fetched, ({ queue }) => queue);
    this.keep(jobs, fetched);
    await this.options.terminalStates.keep(
      [...behind].flatMap((jobId) => {
        const [known, told] = [jobs.get(jobId), fetched.get(jobId)];
        return known === undefined || told === undefined ? [] : [[jobId, known, told.state] as const];
      }),
    );
    const answers = new Map<string, JobDetails>();
    for (const jobId of jobIds) {
      const job = jobs.get(jobId);
      const told = fetched.get(jobId);
      const answer =
        job === undefined || (told !== undefined && behind.has(jobId)) ? told : merge(jobId, job, told);
      if (answer !== undefined) answers.set(jobId, expand.runs ? answer : { ...answer, jobRuns: [] });
    }
    return answers;
  }

  /** A job that was only learned has no more to tell than its state. */
  private isBehind(known: CachedDetails | undefined): boolean {
    if (known?.job.record.lastEvent === undefined) return true;
    return !canServeFromCache(known.job.record, known.moment, this.options.provisionalGraceMs);
  }

  /** Whether there is something that only Armada knows, and that it was not asked for just now. */
  private lacks(jobId: string, job: DetailedJob | undefined): boolean {
    if (job === undefined) return true;
    const { record, enrichment: facts } = job;
    const lacksRun = record.run !== undefined && facts.run?.number !== record.runNumber;
    const lacksEnd = record.state === 'CANCELLED' && facts.cancellation === undefined;
    if (!lacksRun && !lacksEnd) return false;
    const what = `${jobId} ${record.runNumber} ${isTerminal(record.state)}`;
    if (this.asked.get(what)) return false;
    this.asked.set(what, true);
    return true;
  }

  /** What Armada tells; nothing where it does not, unless somebody asks for a job that is not known here. */
  private async fetch(
    jobIds: readonly string[],
    { spec }: JobDetailsExpansion,
    someUnknown: boolean,
  ): Promise<ReadonlyMap<string, JobDetails>> {
    if (jobIds.length === 0) return new Map();
    try {
      return await this.options.armada.details(jobIds, { spec, runs: true });
    } catch (error) {
      if (!(error instanceof ArmadaJobsError)) throw error;
      if (someUnknown) throw notSettled('some of these jobs are not known here', error);
      return new Map();
    }
  }

  private keep(jobs: ReadonlyMap<string, CachedDetails>, fetched: ReadonlyMap<string, JobDetails>): void {
    const kept: FetchedEnrichment[] = [];
    const unknown: JobDetails[] = [];
    for (const [jobId, told] of fetched) {
      const known = jobs.get(jobId);
      if (known === undefined) unknown.push(told);
      else {
        const facts = factsIn(told, known.job.record);
        if (Object.keys(facts).length > 0) kept.push([known.key, [jobId, facts]]);
      }
    }
    this.options.enrichment.keep(kept);
    this.options.resolver.record(unknown);
  }
}

function merge(jobId: string, { key, job }: CachedDetails, told: JobDetails | undefined): JobDetails {
  if (told === undefined) return toJobDetails(jobId, key, job.record, job.enrichment);
  const facts = { ...job.enrichment, ...factsIn(told, job.record) };
  return { ...toJobDetails(jobId, key, job.record, facts), jobSpec: told.jobSpec };
}

/** What is new in Armada's words on a job, and holds for as long as the record is as it is. */
function factsIn(told: JobDetails, record: JobRecord): JobEnrichment {
  const { latestRunId, cancelReason: reason, cancelUser: user } = told;
  // Armada's own database may be behind the stream, and still tell of the run before.
  const isRun = latestRunId !== '' && isLatestRun(told, record);
  const isCancelled = record.state === 'CANCELLED' && told.cancelTs !== undefined;
  return {
    ...(isRun && { run: { number: record.runNumber, id: latestRunId } }),
    ...(isCancelled && { cancellation: { reason, user } }),
  };
}

function isLatestRun({ latestRunId, jobRuns }: JobDetails, { run }: JobRecord): boolean {
  const told = jobRuns.find(({ runId }) => runId === latestRunId);
  if (told === undefined || run === undefined) return false;
  const leasedAt = toMillis(told.leasedTs);
  if (leasedAt === undefined || run.leasedAt === undefined) return true;
  return Math.abs(leasedAt - run.leasedAt) < SAME_MOMENT_MS;
}
