import { groupBy } from './group-by.js';
import type { Answer, History, Stage, TrueJob, Trouble, Violation } from './history.js';
import { InRedis } from './in-redis.js';
import { provisionalSince } from './provisional-jobs.js';
import { isLost } from './lost-jobs.js';
import { isEnd, wordOf } from './words.js';

/** All in milliseconds. */
export interface Bounds {
  /** How long after Redis lost acknowledged writes, and after the trouble that came on top, older states may be told (P1). */
  readonly olderAfterLoss: number;
  /** How long after it happened, and after the last trouble, an end must be told (P4). */
  readonly untilTold: number;
  /** How long before a question a job may have appeared that is told not to exist: a live watch is a proof that long (P6). */
  readonly notFoundProof: number;
  /** How long after the end of trouble with Redis, with a query or with the machine a query may say that Redis does not answer (P5). */
  readonly redisBack: number;
  /** How far clocks and their readings may be apart. */
  readonly clocks: number;
}

export const BOUNDS: Bounds = {
  olderAfterLoss: 20_000,
  untilTold: 30_000,
  notFoundProof: 2_000,
  redisBack: 4_000,
  clocks: 100,
};

/** When answers may be older (P1). */
interface Allowance {
  readonly from: number;
  readonly backAt: number;
  readonly until: number;
}

type Rule = (answer: Answer, of: Known) => Violation | undefined;

/** What is known beside an answer. */
interface Known {
  readonly job: TrueJob;
  readonly bounds: Bounds;
  readonly troubles: readonly Trouble[];
  readonly allowances: readonly Allowance[];
  /** What answers that had come before the question was asked imply of the job set's cursor: it was at least here. */
  readonly floor: number;
  /** Whether an answer that had come before the question was asked told a state, and which end. */
  readonly before: { readonly state: boolean; readonly end?: string };
  /** Whether Redis has a state of the job, as answers that had come before the question was asked show. */
  readonly isInRedis: boolean;
}

/** Whether the answers, of all pollers and queries together, keep the promises. */
export function checkAnswers({ truth, answers, troubles }: History, bounds: Bounds = BOUNDS): Violation[] {
  const violations: Violation[] = [];
  const jobs = new Map(truth.map((job) => [job.jobId, job]));
  const allowances = allowancesOf(troubles, bounds);
  for (const ofSet of groupBy(answers, ({ key }) => JSON.stringify(key)).values()) {
    const seen = new Seen(provisionalSince(ofSet, troubles));
    const inRedis = new InRedis(troubles);
    const inOrder = ofSet.toSorted((a, b) => a.askedAt - b.askedAt);
    const waiting = ofSet.toSorted((a, b) => a.answeredAt - b.answeredAt);
    let heard = 0;
    for (const answer of inOrder) {
      for (; heard < waiting.length; heard++) {
        const earlier = waiting[heard];
        if (earlier === undefined || earlier.answeredAt >= answer.askedAt) break;
        const of = jobs.get(earlier.jobId);
        if (of === undefined || isLost(of, troubles, earlier.answeredAt)) continue;
        if (!isExempt(earlier, allowances)) seen.add(earlier, of);
        if (earlier.told.kind === 'state') {
          inRedis.add(earlier, wordsOfEnds(of, earlier.api).has(earlier.told.word));
        }
      }
      const job = jobs.get(answer.jobId) ?? { key: answer.key, jobId: answer.jobId, stages: [] };
      if (isLost(job, troubles, answer.answeredAt)) continue;
      const known = {
        job,
        bounds,
        troubles,
        allowances,
        floor: seen.floor,
        before: seen.of(answer),
        isInRedis: inRedis.has(answer),
      };
      for (const rule of RULES) {
        const violation = rule(answer, known);
        if (violation !== undefined) violations.push(violation);
      }
    }
  }
  return violations;
}

/** What earlier answers told of one job set. */
class Seen {
  floor = 0;
  private readonly states = new Set<string>();
  private readonly ends = new Map<string, string>();

  constructor(private readonly learnedSince: ReadonlyMap<string, number>) {}

  add(answer: Answer, job: TrueJob): void {
    const { told, jobId, api, answeredAt } = answer;
    if (told.kind !== 'state') return;
    this.states.add(jobId);
    if (wordsOfEnds(job, api).has(told.word)) this.ends.set(`${api} ${jobId}`, told.word);
    // Armada's own word, which api.Jobs may pass on, says nothing of our cursor; what was learned by it neither.
    if (api !== 'legacy' || answeredAt >= (this.learnedSince.get(jobId) ?? Infinity)) return;
    const [stage] = possibleStages(answer, job, this.floor);
    if (stage !== undefined) this.floor = Math.max(this.floor, stage.position);
  }

  of({ jobId, api }: Answer): Known['before'] {
    const end = this.ends.get(`${api} ${jobId}`);
    return { state: this.states.has(jobId), ...(end !== undefined && { end }) };
  }
}

const neverHad: Rule = (answer, { job }) => {
  const { told, api, answeredAt } = answer;
  if (told.kind !== 'state') return undefined;
  const had = job.stages.some(({ state, at }) => wordOf(state, api) === told.word && at <= answeredAt);
  return had
    ? undefined
    : broken('answers that the truth never had', answer, `which it was not until then (${lifeOf(job)})`);
};

const endChanged: Rule = (answer, { before, allowances }) => {
  const { told } = answer;
  if (told.kind !== 'state' || before.end === undefined || before.end === told.word) return undefined;
  if (isExempt(answer, allowances)) return undefined;
  return broken('ended jobs that changed (P1)', answer, `after ${before.end} had been told`);
};

const older: Rule = (answer, { job, floor, allowances }) => {
  const { told, api } = answer;
  if (told.kind !== 'state' || api !== 'legacy' || isExempt(answer, allowances)) return undefined;
  if (possibleStages(answer, job, 0).length === 0 || possibleStages(answer, job, floor).length > 0)
    return undefined;
  return broken(
    'answers from an older cursor (P1)',
    answer,
    `after an answer that needs message ${floor} (${lifeOf(job)})`,
  );
};

const falseLevel: Rule = (answer, { job, bounds }) => {
  const { told, levelAt } = answer;
  if (told.kind !== 'state' || levelAt === undefined) return undefined;
  const end = endOfLast(possibleStages(answer, job, 0), job);
  if (end === undefined || end.at > levelAt - bounds.clocks) return undefined;
  const ms = Math.round(levelAt - end.at);
  return broken(
    'answers that claim to be level and are not (P7)',
    answer,
    `level at a moment ${ms} ms after the job was ${end.state}`,
  );
};

const falseNotFound: Rule = (answer, { job, before, bounds }) => {
  if (answer.told.kind !== 'not-found') return undefined;
  if (before.state)
    return broken('not found after a state had been told', answer, 'after a state had been told');
  const [first] = job.stages;
  if (first === undefined || first.at > answer.askedAt - bounds.notFoundProof - bounds.clocks)
    return undefined;
  const ms = Math.round(answer.askedAt - first.at);
  return broken('not found, of jobs that exist (P6)', answer, `${ms} ms after Armada had it`);
};

const late: Rule = (answer, { job, bounds, troubles }) => {
  const { told, api, askedAt } = answer;
  const end = job.stages.find(({ state }) => isEnd(state));
  if (end === undefined || told.kind === 'no-answer') return undefined;
  if (told.kind === 'state' && told.word === wordOf(end.state, api)) return undefined;
  const calmSince = Math.max(end.at, ...troubles.filter(({ from }) => from < askedAt).map(({ to }) => to));
  const ms = Math.round(askedAt - calmSince);
  if (ms <= bounds.untilTold) return undefined;
  return broken(
    'ends that were told too late (P4)',
    answer,
    `${ms} ms after ${end.state}, and after the last trouble`,
  );
};

const hidden: Rule = (answer, { isInRedis, bounds, troubles }) => {
  if (answer.told.kind !== 'trouble' || !isInRedis) return undefined;
  const isRedisAway = troubles.some(
    ({ of, from, to }) =>
      REDIS_AWAY_FOR.has(of) && from <= answer.answeredAt && answer.askedAt <= to + bounds.redisBack,
  );
  if (isRedisAway && REDIS_AWAY.test(answer.told.reason)) return undefined;
  return broken('known states that trouble hid (P5)', answer, 'though Redis was there');
};

/** What a query says of a known state only while Redis is away: any other reason hides it wrongly even then. */
const REDIS_AWAY = /Redis does not answer/;
/** Troubles that let a query miss Redis' answer: it waits for a second. */
const REDIS_AWAY_FOR: ReadonlySet<Trouble['of']> = new Set(['redis', 'query', 'machine']);

const RULES: readonly Rule[] = [neverHad, endChanged, older, falseLevel, falseNotFound, late, hidden];

/** The stages that the job may have been in for this answer, if the cursor was at `floor` or beyond. */
function possibleStages({ told, api, answeredAt }: Answer, { stages }: TrueJob, floor: number): Stage[] {
  if (told.kind !== 'state') return [];
  return stages.filter(({ state, at }, i) => {
    const next = stages[i + 1];
    return (
      wordOf(state, api) === told.word && at <= answeredAt && (next === undefined || next.position > floor)
    );
  });
}

/** What ended the last of these stages. */
function endOfLast(stages: readonly Stage[], job: TrueJob): Stage | undefined {
  const last = stages.at(-1);
  return last && job.stages[job.stages.indexOf(last) + 1];
}

/** After each loss of writes: until all is calm, and a while longer. */
function allowancesOf(troubles: readonly Trouble[], { olderAfterLoss }: Bounds): Allowance[] {
  const inOrder = troubles.toSorted((a, b) => a.from - b.from);
  return inOrder.flatMap(({ lostWrites, from, to }) => {
    if (lostWrites !== true) return [];
    let calmAt = to;
    for (const later of inOrder.filter(({ of }) => of !== 'machine')) {
      if (later.from >= from && later.from <= calmAt + olderAfterLoss) calmAt = Math.max(calmAt, later.to);
    }
    return { from, backAt: to, until: calmAt + olderAfterLoss };
  });
}

/** It may be older, unless it claims to be level with a moment when Redis was back. */
function isExempt({ askedAt, answeredAt, levelAt = 0 }: Answer, allowances: readonly Allowance[]): boolean {
  return allowances.some(
    ({ from, backAt, until }) => from <= answeredAt && askedAt <= until && levelAt <= backAt,
  );
}

function wordsOfEnds({ stages }: TrueJob, api: Answer['api']): Set<string> {
  return new Set(stages.filter(({ state }) => isEnd(state)).map(({ state }) => wordOf(state, api)));
}

function lifeOf({ stages }: TrueJob): string {
  return stages.map(({ state, position }) => `${state} at ${position}`).join(', ') || 'never submitted';
}

function broken(rule: string, answer: Answer, but: string): Violation {
  const { told, api, query, key, jobId, askedAt } = answer;
  const said =
    told.kind === 'state' ? told.word : 'reason' in told ? `${told.kind} (${told.reason})` : told.kind;
  const when = new Date(askedAt).toISOString().slice(11, 23);
  return { rule, what: `${when} ${query} (${api}) of job ${jobId} in ${key.jobSetId}: ${said}, ${but}` };
}
