import { allowancesOf, isOlderAllowed, type Allowance } from './allowances.js';
import { isTerminalName } from './api-states.js';
import type { Bounds } from './bounds.js';
import { calmFrom, endsShown, holdUps } from './ends-shown.js';
import { groupBy } from './group-by.js';
import type { Answer, Disturbance, History, TrueJob, Violation, Watch } from './history.js';
import { isLost } from './lost-jobs.js';

/** The context that streams are judged in. */
interface Known {
  readonly jobs: ReadonlyMap<string, TrueJob>;
  readonly disturbances: readonly Disturbance[];
  /** Those that may hold up a stream, in order. */
  readonly inOrder: readonly Disturbance[];
  readonly allowances: readonly Allowance[];
  /** When Redis was shown to have the end of each job. */
  readonly ends: ReadonlyMap<string, number>;
  /** When the legacy API first reported each job. */
  readonly reported: ReadonlyMap<string, number>;
  readonly bounds: Bounds;
}

/** What a stream sent last of a job. */
interface Told {
  readonly at: number;
  readonly state: string;
  /** Which of the job's stages it can have been, the earliest one. */
  readonly stage: number;
  /** How often this stage was sent. */
  readonly times: number;
}

/**
 * The violations in what watchers were given. Streams that go on behind one another are one to their caller: in it each job moves forwards
 * only, nothing comes twice, nothing is left out, and every end comes in time.
 */
export function checkWatches(history: History, bounds: Bounds): Violation[] {
  const { truth, watches, answers, disturbances } = history;
  const known: Known = {
    jobs: new Map(truth.map((job) => [job.jobId, job])),
    disturbances,
    inOrder: holdUps(disturbances),
    allowances: allowancesOf(disturbances, bounds),
    ends: endsShown(history),
    reported: firstReported(answers),
    bounds,
  };
  const chains = groupBy(watches, ({ chain }) => chain);
  return Array.from(chains.values()).flatMap((streams) => new Chain(streams, known).check());
}

/** Streams that go on behind one another. */
class Chain {
  private readonly violations: Violation[] = [];
  private readonly told = new Map<string, Told>();
  /** When the end of each job was sent. */
  private readonly ended = new Map<string, number>();
  private isSnapshotOver = false;

  constructor(
    private readonly streams: readonly Watch[],
    private readonly known: Known,
  ) {}

  check(): readonly Violation[] {
    for (const stream of this.streams) {
      this.checkEvents(stream);
      this.checkEnd(stream);
    }
    for (const stream of this.streams) this.checkInTime(stream);
    this.checkView();
    return this.violations;
  }

  private get beganAt(): number {
    return this.streams[0]?.requestedAt ?? 0;
  }

  private checkEvents(stream: Watch): void {
    for (const event of stream.events) {
      if (event.kind === 'job') this.tell(stream, event);
      else if (event.kind === 'bookmark' && !this.isSnapshotOver) {
        this.violate('watch: bookmark within the snapshot', stream, '', event.at);
      } else if (event.kind === 'snapshot-end') this.endSnapshot(stream, event.at);
    }
  }

  private tell(stream: Watch, { jobId, state, at }: { jobId: string; state: string; at: number }): void {
    const job = this.known.jobs.get(jobId);
    const last = this.told.get(jobId);
    if (job === undefined || this.isLost(job, at)) return;
    if (isTerminalName(state) && !this.ended.has(jobId)) this.ended.set(jobId, at);
    const mayRepeat = job.lookedUpAt !== undefined && job.lookedUpAt < at + this.known.bounds.clocks;
    const next = nextTold(job, last, state, mayRepeat) ?? this.afterLoss(job, last, state, at);
    if (next === undefined) {
      const was = last === undefined ? '' : `after it was ${last.state}`;
      this.violate('watch: sent twice or out of order', stream, `job ${jobId} is ${state} ${was}`, at);
    }
    this.told.set(jobId, { stage: 0, times: 1, ...next, at, state });
  }

  /** What was sent before Redis lost writes may come again. */
  private afterLoss(job: TrueJob, last: Told | undefined, state: string, at: number) {
    if (last === undefined || !isOlderAllowed(this.known.allowances, last.at, at)) return undefined;
    return nextTold(job, undefined, state, true);
  }

  private endSnapshot(stream: Watch, at: number): void {
    if (this.isSnapshotOver) this.violate('watch: second end of a snapshot', stream, '', at);
    this.isSnapshotOver = true;
    for (const jobId of stream.jobIds) {
      const reportedAt = this.known.reported.get(jobId) ?? Infinity;
      const job = this.known.jobs.get(jobId);
      if (reportedAt >= this.beganAt || this.told.has(jobId) || job === undefined) continue;
      if (this.isLost(job, at) || isOlderAllowed(this.known.allowances, reportedAt, at)) continue;
      this.violate('watch: job missing from the snapshot', stream, `job ${jobId} was known before`, at);
    }
  }

  private checkEnd(stream: Watch): void {
    const { method, end, endedAt, jobIds } = stream;
    const { disturbances, inOrder, bounds } = this.known;
    if (end === undefined) return;
    const because = `${end.code} (${end.details})`;
    if (end.code === 'OUT_OF_RANGE') {
      const hasLost = disturbances.some(
        ({ lostWrites, from, to }) => lostWrites === true && from <= endedAt && to >= this.beganAt,
      );
      if (!hasLost) this.violate('watch: token refused without a lost generation', stream, because, endedAt);
    } else if (method === 'WatchJobs' && end.code === 'OK') {
      const unfinished = jobIds.filter((jobId) => !this.ended.has(jobId));
      if (unfinished.length === 0) return;
      this.violate(
        'watch: ended before its jobs',
        stream,
        `without the end of ${unfinished.join()}`,
        endedAt,
      );
    } else {
      const isFault = inOrder.some(({ from, to }) => from <= endedAt && endedAt <= to + bounds.redisBack);
      if (!isFault) this.violate('watch: ended without a fault', stream, because, endedAt);
    }
  }

  /** An end that Redis had comes within the bound, from the moment on at which nothing held the stream up. */
  private checkInTime(stream: Watch): void {
    const { ends, inOrder, allowances, bounds } = this.known;
    for (const jobId of stream.jobIds) {
      const shownAt = ends.get(jobId) ?? Infinity;
      const from = Math.max(shownAt, stream.requestedAt);
      const to = Math.min(this.ended.get(jobId) ?? Infinity, stream.endedAt);
      const lateMs = Math.round(to - calmFrom(inOrder, from, bounds.untilReceived));
      if (lateMs <= bounds.untilReceived || isOlderAllowed(allowances, shownAt, to)) continue;
      this.violate('watch: end sent too late', stream, `job ${jobId}, ${lateMs} ms after Redis had it`, to);
    }
  }

  /** A watcher that went on to the end of the run knows how each job is. */
  private checkView(): void {
    const last = this.streams.at(-1);
    if (last === undefined || last.end?.code === 'OUT_OF_RANGE') return;
    if (last.method === 'WatchJobs' && last.end !== undefined) return;
    for (const jobId of last.jobIds) {
      const job = this.known.jobs.get(jobId);
      const state = job?.stages.at(-1)?.state;
      const told = this.told.get(jobId)?.state;
      if (job === undefined || state === told || this.isLost(job, Infinity)) continue;
      const what = `job ${jobId} is ${state ?? 'unknown'}, told was ${told ?? 'nothing'}`;
      this.violate('watch: last state never sent', last, what, last.endedAt);
    }
  }

  private isLost(job: TrueJob, at: number): boolean {
    return isLost(job, this.known.disturbances, at);
  }

  private violate(rule: string, { method, query, key }: Watch, why: string, at: number): void {
    const when = new Date(at).toISOString().slice(11, 23);
    const chain = `${method} ${this.streams[0]?.chain ?? ''}`;
    this.violations.push({ rule, what: `${when} ${query} (${chain}) of ${key.jobSetId}: ${why}` });
  }
}

/**
 * The stage that this can be after what was sent before; `undefined` where there is none. Each of them stands for another message about the
 * job, but where `mayRepeat`: a report of Armada's `api.Jobs` changes a record as well.
 */
function nextTold(
  { stages }: TrueJob,
  last: Pick<Told, 'stage' | 'times'> = { stage: -1, times: 0 },
  state: string,
  mayRepeat: boolean,
): Pick<Told, 'stage' | 'times'> | undefined {
  const current = stages[last.stage];
  if (current?.state === state && (mayRepeat || last.times < current.messages)) {
    return { stage: last.stage, times: last.times + 1 };
  }
  const next = stages.findIndex((stage, i) => i > last.stage && stage.state === state);
  return next < 0 ? undefined : { stage: next, times: 1 };
}

function firstReported(answers: readonly Answer[]): ReadonlyMap<string, number> {
  const reported = new Map<string, number>();
  for (const { api, jobId, result, answeredAt } of answers) {
    if (api !== 'legacy' || result.kind !== 'state') continue;
    reported.set(jobId, Math.min(answeredAt, reported.get(jobId) ?? Infinity));
  }
  return reported;
}
