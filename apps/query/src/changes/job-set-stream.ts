import { status } from '@grpc/grpc-js';
import type { ChangedJob, JobSetChanges, JobSetMoment } from '@ajs/job-store';
import { positionOf } from '@ajs/job-store';
import { systemClock, type Clock } from '@ajs/platform';
import type { Generation } from '@ajs/redis-keys';
import { RpcError } from '../rpc-error.js';
import type { JobSetChange, JobSetFeed, JobSetListener } from './job-set-feed.js';
import { BEGINNING, toToken, type StreamPlace } from './stream-place.js';

/** What a stream of a job set sends, each with the token that resumes behind it. */
export type JobSetEvent =
  | { readonly kind: 'job'; readonly changed: ChangedJob; readonly token: string }
  | { readonly kind: 'snapshot-end'; readonly token: string }
  | { readonly kind: 'bookmark'; readonly moment: JobSetMoment | undefined; readonly token: string };

/**
 * Takes events, at least one, in their order; the promise, if there is one, resolves once it wants more. Throws, which ends the stream, where
 * they cannot be sent. Streams that stand at the same place are given the same array: what is made of it may be kept for the others.
 */
export type SendEvents = (events: readonly JobSetEvent[]) => Promise<void> | undefined;

/** Changes that wait for their reader, in jobs. One that lets more come is too slow. */
const MOST_QUEUED = 10_000;
/** Quiet begins once nothing has changed for this long. Milliseconds. */
const QUIET_MS = 1_000;
const BOOKMARK_EVERY_MS = 30_000;

/** Some events, and where a stream stands that has sent them. */
interface Step {
  readonly place: StreamPlace;
  readonly events: readonly JobSetEvent[];
}

/** So many are sent together: a reader that is slow is given no more before it has taken them. */
const EVENTS_AT_ONCE = 50;

/** The same steps for all streams that stand where changes follow. */
const sharedSteps = new WeakMap<readonly JobSetChange[], readonly Step[]>();

/**
 * The jobs of a job set from a place on, then each change, in order: nothing is missed, and nothing sent twice. What was missed in the feed,
 * and what is older, is read from Redis by the place.
 */
export class JobSetStream implements JobSetListener {
  private queue: (readonly JobSetChange[])[] = [];
  private queuedJobs = 0;
  private mustRead = false;
  private isReading = false;
  private ended: RpcError | undefined;
  private wake: (() => void) | undefined;
  /** The snapshot is whole once all that changed up to here has been sent. */
  private snapshotUntil: number | undefined;

  constructor(
    private readonly feed: JobSetFeed,
    private readonly changes: Pick<JobSetChanges, 'readChanges'>,
    private readonly send: SendEvents,
    private place: StreamPlace = BEGINNING,
    private readonly clock: Pick<Clock, 'after'> = systemClock,
  ) {}

  /** Resumes the stream behind what has been sent. */
  get token(): string {
    return toToken(this.place);
  }

  /** Never resolves: rejects with what {@link end} was given, or with an RpcError that says why the stream cannot go on. */
  async run(): Promise<never> {
    const stop = this.feed.listen(this);
    try {
      for (;;) {
        if (this.ended !== undefined) throw this.ended;
        if (this.mustRead) await this.readNewer();
        else if (this.queue.length > 0) await this.tellNext();
        else await this.wait();
      }
    } finally {
      stop();
    }
  }

  end(error: RpcError): void {
    this.ended ??= error;
    this.wake?.();
  }

  changed(changes: readonly JobSetChange[]): void {
    if (this.mustRead) return;
    // The end of the snapshot may have to be sent between them.
    if (this.place.inSnapshot) this.queue.push(...changes.map((change) => [change]));
    else this.queue.push(changes);
    this.queuedJobs += jobsOf(changes);
    if (this.queuedJobs > MOST_QUEUED) {
      // What is read takes its time, which is not the reader's fault.
      if (this.isReading) this.missed();
      else this.end(tooSlow());
    }
    this.wake?.();
  }

  missed(): void {
    this.mustRead = true;
    this.queue = [];
    this.queuedJobs = 0;
    this.wake?.();
  }

  private async readNewer(): Promise<void> {
    this.mustRead = false;
    const { generation = this.feed.generation } = this.place;
    if (generation === undefined) {
      // There is nothing yet.
      this.snapshotUntil ??= this.place.after;
      await this.endSnapshot();
      return;
    }
    this.isReading = true;
    const isResumed = this.place.upTo !== undefined;
    const latest = await this.readPages({ ...this.place, generation });
    this.isReading = false;
    if (latest === undefined) return;
    // What has changed since the token was given.
    if (isResumed) this.mustRead = true;
    this.snapshotUntil ??= latest;
    await this.endSnapshot();
  }

  /** Returns up to where changes have to be sent before all jobs that were there have been; `undefined` where it did not come so far. */
  private async readPages({
    generation,
    after,
    upTo: begun,
    from: begin,
  }: StreamPlace & { readonly generation: Generation }): Promise<number | undefined> {
    let upTo = begun;
    let latest = -1;
    for (let from = begin, isLast = false; !isLast;) {
      const page = await this.changes.readChanges(this.feed.key, generation, after, from);
      if (page === undefined) {
        await this.followAnew();
        return undefined;
      }
      this.place = { ...this.place, generation };
      const reached = (upTo ??= page.revision);
      const jobs = page.jobs.filter(({ revision }) => revision <= reached);
      // Those that have changed since are sent as changes.
      if (jobs.length < page.jobs.length) latest = page.revision;
      const { place } = this;
      await this.tell(
        stepsOf(jobs.map((job) => [job, { ...place, upTo: reached, from: positionOf(job.jobId) }])),
      );
      if (this.ended !== undefined) return undefined;
      from = page.next;
      isLast = from === undefined;
      if (from !== undefined) this.place = { ...this.place, upTo, from };
    }
    const { inSnapshot } = this.place;
    const reached = upTo ?? after;
    this.place = { generation, after: reached, inSnapshot };
    return Math.max(latest, reached);
  }

  /** The life of the job set that was read is over. A reader that received nothing of it misses nothing of it. */
  private async followAnew(): Promise<void> {
    if (this.place.generation !== undefined) throw startAgain();
    // Where it is not followed, it is missed() once it is.
    if (await this.feed.check()) this.mustRead = true;
  }

  private async tellNext(): Promise<void> {
    const changes = this.queue.shift() ?? [];
    this.queuedJobs -= jobsOf(changes);
    const last = changes.at(-1);
    if (last === undefined || last.revision <= this.place.after) return;
    await this.tell(this.stepsOf(changes));
    if (this.ended !== undefined) return;
    this.place = placeBehind(this.place, last);
    await this.endSnapshot();
  }

  private stepsOf(changes: readonly JobSetChange[]): readonly Step[] {
    const { place } = this;
    if (place.after !== changes[0]?.previous) {
      return stepsOfChanges(
        place,
        changes.filter(({ revision }) => revision > place.after),
      );
    }
    const shared = sharedSteps.get(changes) ?? stepsOfChanges(place, changes);
    sharedSteps.set(changes, shared);
    return shared;
  }

  private async tell(steps: readonly Step[]): Promise<void> {
    for (const { place, events } of steps) {
      if (this.ended !== undefined) return;
      // Readers that take what they get need no promise.
      const taken = this.sendAt(place, events);
      if (taken !== undefined) await taken;
    }
  }

  /** The promise, if there is one, resolves once the reader wants more, or the stream is to end. */
  private sendAt(place: StreamPlace, events: readonly JobSetEvent[]): Promise<void> | undefined {
    const taken = this.send(events);
    // Only now: a reader that resumes gets what could not be sent.
    this.place = place;
    return taken && this.untilTaken(taken);
  }

  private async untilTaken(taken: Promise<void>): Promise<void> {
    if (this.ended !== undefined) return;
    await new Promise<void>((resolve, reject) => {
      this.wake = () => {
        if (this.ended !== undefined) resolve();
      };
      taken.then(resolve, reject);
    });
  }

  private async endSnapshot(): Promise<void> {
    if (!this.place.inSnapshot || this.snapshotUntil === undefined) return;
    if (this.place.after < this.snapshotUntil) return;
    const place = { ...this.place, inSnapshot: false };
    await this.sendAt(place, [{ kind: 'snapshot-end', token: toToken(place) }]);
  }

  /** Until something happens; in a quiet time with bookmarks. */
  private async wait(): Promise<void> {
    for (let ms = QUIET_MS; !(await this.wokenWithin(ms)); ms = BOOKMARK_EVERY_MS) {
      // It has not begun: Redis cannot be reached.
      if (this.place.inSnapshot) continue;
      await this.sendAt(this.place, [{ kind: 'bookmark', moment: this.feed.moment, token: this.token }]);
    }
  }

  private async wokenWithin(ms: number): Promise<boolean> {
    const hasNews = () => this.mustRead || this.queue.length > 0 || this.ended !== undefined;
    // It may have come while a bookmark was sent.
    if (hasNews()) return true;
    await new Promise<void>((resolve) => {
      const cancel = this.clock.after(ms, resolve);
      this.wake = () => {
        cancel();
        resolve();
      };
    });
    return hasNews();
  }
}

function stepsOfChanges(begin: StreamPlace, changes: readonly JobSetChange[]): Step[] {
  const told: ToldJob[] = [];
  let place = begin;
  for (const change of changes) {
    const behind = placeBehind(place, change);
    const last = change.jobs.at(-1);
    for (const job of change.jobs) {
      const isLast = job === last;
      told.push([job, isLast ? behind : { ...place, upTo: change.revision, from: positionOf(job.jobId) }]);
    }
    place = behind;
  }
  return stepsOf(told);
}

/** A job, and where a stream stands that has sent it. */
type ToldJob = readonly [job: ChangedJob, place: StreamPlace];

function stepsOf(jobs: readonly ToldJob[]): Step[] {
  const steps: { place: StreamPlace; events: JobSetEvent[] }[] = [];
  for (const [i, [changed, place]] of jobs.entries()) {
    const event: JobSetEvent = { kind: 'job', changed, token: toToken(place) };
    const step = steps.at(-1);
    if (step === undefined || i % EVENTS_AT_ONCE === 0) steps.push({ place, events: [event] });
    else {
      step.events.push(event);
      step.place = place;
    }
  }
  return steps;
}

function jobsOf(changes: readonly JobSetChange[]): number {
  return changes.reduce((sum, { jobs }) => sum + jobs.length, 0);
}

/** Where a stream stands that has sent a change. */
function placeBehind({ generation, inSnapshot }: StreamPlace, { revision }: JobSetChange): StreamPlace {
  return { ...(generation !== undefined && { generation }), after: revision, inSnapshot };
}

function startAgain(): RpcError {
  return new RpcError(
    status.OUT_OF_RANGE,
    'the resume token is too old: the job set was read again from its beginning since; start again without a token',
  );
}

function tooSlow(): RpcError {
  return new RpcError(
    status.RESOURCE_EXHAUSTED,
    'the stream is read more slowly than the job set changes; resume with the token in the trailer resume-token, and read faster',
  );
}
