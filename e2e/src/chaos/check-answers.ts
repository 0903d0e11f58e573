import { groupBy } from './group-by.js';
import type { Answer, History, Stage, TrueJob, Disturbance, Violation } from './history.js';
import { InRedis } from './in-redis.js';
import { provisionalSince } from './provisional-jobs.js';
import { isLost } from './lost-jobs.js';
import { isTerminal, apiStateOf } from './api-states.js';

/** All in milliseconds. */
export interface Bounds {
  /** How long older states may be reported after Redis lost acknowledged writes, and after faults that came on top (P1). */
  readonly olderAfterLoss: number;
  /** Within what time of its event, and of the last fault, a terminal state must be reported (P4). */
  readonly untilReported: number;
  /** How young a job may be that is reported as not found: a live watch counts as proof for so long (P6). */
  readonly notFoundProof: number;
  /** How long after a fault of Redis, of the query or of the machine a query may report Redis as unavailable (P5). */
  readonly redisBack: number;
  /** How far two readings of the clock may be apart. */
  readonly clocks: number;
}

export const BOUNDS: Bounds = {
  olderAfterLoss: 20_000,
  untilReported: 30_000,
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

/** The context that an answer is judged in. */
interface Known {
  readonly job: TrueJob;
  readonly bounds: Bounds;
  readonly disturbances: readonly Disturbance[];
  readonly allowances: readonly Allowance[];
  /** The least position of the job set's cursor that answers received before the request imply. */
  readonly floor: number;
  /** Whether an answer received before the request reported a state, and which terminal state. */
  readonly before: { readonly state: boolean; readonly end?: string };
  /** Whether Redis has a state of the job, as answers received before the request show. */
  readonly isInRedis: boolean;
}

/** The violations in the answers of all pollers and queries together. */
export function checkAnswers(
  { truth, answers, disturbances }: History,
  bounds: Bounds = BOUNDS,
): Violation[] {
  const violations: Violation[] = [];
  const jobs = new Map(truth.map((job) => [job.jobId, job]));
  const allowances = allowancesOf(disturbances, bounds);
  for (const ofSet of groupBy(answers, ({ key }) => JSON.stringify(key)).values()) {
    const seen = new Seen(provisionalSince(ofSet, disturbances));
    const inRedis = new InRedis(disturbances);
    const inOrder = ofSet.toSorted((a, b) => a.requestedAt - b.requestedAt);
    const waiting = ofSet.toSorted((a, b) => a.answeredAt - b.answeredAt);
    let received = 0;
    for (const answer of inOrder) {
      for (; received < waiting.length; received++) {
        const earlier = waiting[received];
        if (earlier === undefined || earlier.answeredAt >= answer.requestedAt) break;
        const of = jobs.get(earlier.jobId);
        if (of === undefined || isLost(of, disturbances, earlier.answeredAt)) continue;
        if (!isExempt(earlier, allowances)) seen.add(earlier, of);
        if (earlier.result.kind === 'state') {
          inRedis.add(earlier, terminalApiStates(of, earlier.api).has(earlier.result.apiState));
        }
      }
      const job = jobs.get(answer.jobId) ?? { key: answer.key, jobId: answer.jobId, stages: [] };
      if (isLost(job, disturbances, answer.answeredAt)) continue;
      const known = {
        job,
        bounds,
        disturbances,
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

/** What earlier answers reported about one job set. */
class Seen {
  floor = 0;
  private readonly states = new Set<string>();
  private readonly ends = new Map<string, string>();

  constructor(private readonly provisionalSince: ReadonlyMap<string, number>) {}

  add(answer: Answer, job: TrueJob): void {
    const { result, jobId, api, answeredAt } = answer;
    if (result.kind !== 'state') return;
    this.states.add(jobId);
    if (terminalApiStates(job, api).has(result.apiState)) this.ends.set(`${api} ${jobId}`, result.apiState);
    // api.Jobs may pass on Armada's own answer, which says nothing about our cursor; nor does a provisional record.
    if (api !== 'legacy' || answeredAt >= (this.provisionalSince.get(jobId) ?? Infinity)) return;
    const [stage] = possibleStages(answer, job, this.floor);
    if (stage !== undefined) this.floor = Math.max(this.floor, stage.position);
  }

  of({ jobId, api }: Answer): Known['before'] {
    const end = this.ends.get(`${api} ${jobId}`);
    return { state: this.states.has(jobId), ...(end !== undefined && { end }) };
  }
}

const neverHad: Rule = (answer, { job }) => {
  const { result, api, answeredAt } = answer;
  if (result.kind !== 'state') return undefined;
  const had = job.stages.some(
    ({ state, at }) => apiStateOf(state, api) === result.apiState && at <= answeredAt,
  );
  return had
    ? undefined
    : violation(
        'reported a state the job never had',
        answer,
        `which it had not been by then (${lifeOf(job)})`,
      );
};

const endChanged: Rule = (answer, { before, allowances }) => {
  const { result } = answer;
  if (result.kind !== 'state' || before.end === undefined || before.end === result.apiState) return undefined;
  if (isExempt(answer, allowances)) return undefined;
  return violation('terminal state changed (P1)', answer, `after ${before.end} was reported`);
};

const older: Rule = (answer, { job, floor, allowances }) => {
  const { result, api } = answer;
  if (result.kind !== 'state' || api !== 'legacy' || isExempt(answer, allowances)) return undefined;
  if (possibleStages(answer, job, 0).length === 0 || possibleStages(answer, job, floor).length > 0)
    return undefined;
  return violation(
    'answered from an older cursor (P1)',
    answer,
    `after an answer that needs message ${floor} (${lifeOf(job)})`,
  );
};

const falselySynced: Rule = (answer, { job, bounds }) => {
  const { result, syncedAt } = answer;
  if (result.kind !== 'state' || syncedAt === undefined) return undefined;
  const end = endOfLast(possibleStages(answer, job, 0), job);
  if (end === undefined || end.at > syncedAt - bounds.clocks) return undefined;
  const ms = Math.round(syncedAt - end.at);
  return violation(
    'claimed to be synced but was not (P7)',
    answer,
    `synced at a time ${ms} ms after the job was ${end.state}`,
  );
};

const falseNotFound: Rule = (answer, { job, before, bounds }) => {
  if (answer.result.kind !== 'not-found') return undefined;
  if (before.state)
    return violation('not found after a state was reported', answer, 'after a state was reported');
  const [first] = job.stages;
  if (first === undefined || first.at > answer.requestedAt - bounds.notFoundProof - bounds.clocks)
    return undefined;
  const ms = Math.round(answer.requestedAt - first.at);
  return violation('existing job reported as not found (P6)', answer, `${ms} ms after Armada had it`);
};

const late: Rule = (answer, { job, bounds, disturbances }) => {
  const { result, api, requestedAt } = answer;
  const end = job.stages.find(({ state }) => isTerminal(state));
  if (end === undefined || result.kind === 'no-answer') return undefined;
  if (result.kind === 'state' && result.apiState === apiStateOf(end.state, api)) return undefined;
  const calmSince = Math.max(
    end.at,
    ...disturbances.filter(({ from }) => from < requestedAt).map(({ to }) => to),
  );
  const ms = Math.round(requestedAt - calmSince);
  if (ms <= bounds.untilReported) return undefined;
  return violation(
    'terminal state reported too late (P4)',
    answer,
    `${ms} ms after ${end.state}, and after the last disturbance`,
  );
};

const hidden: Rule = (answer, { isInRedis, bounds, disturbances }) => {
  if (answer.result.kind !== 'unavailable' || !isInRedis) return undefined;
  const isRedisAway = disturbances.some(
    ({ of, from, to }) =>
      REDIS_AWAY_FOR.has(of) && from <= answer.answeredAt && answer.requestedAt <= to + bounds.redisBack,
  );
  if (isRedisAway && REDIS_AWAY.test(answer.result.reason)) return undefined;
  return violation('outage hid a known state (P5)', answer, 'while Redis was available');
};

/** The one reason that may hide a known state. */
const REDIS_AWAY = /Redis is unavailable/;
/** Faults during which a query may miss Redis' reply, for which it waits a second. */
const REDIS_AWAY_FOR: ReadonlySet<Disturbance['of']> = new Set(['redis', 'query', 'machine']);

const RULES: readonly Rule[] = [neverHad, endChanged, older, falselySynced, falseNotFound, late, hidden];

/** The stages that this answer may stand for, with the cursor at `floor` or beyond. */
function possibleStages({ result, api, answeredAt }: Answer, { stages }: TrueJob, floor: number): Stage[] {
  if (result.kind !== 'state') return [];
  return stages.filter(({ state, at }, i) => {
    const next = stages[i + 1];
    return (
      apiStateOf(state, api) === result.apiState &&
      at <= answeredAt &&
      (next === undefined || next.position > floor)
    );
  });
}

/** The stage after the last of these. */
function endOfLast(stages: readonly Stage[], job: TrueJob): Stage | undefined {
  const last = stages.at(-1);
  return last && job.stages[job.stages.indexOf(last) + 1];
}

/** From each loss of writes until a while after the last fault. */
function allowancesOf(disturbances: readonly Disturbance[], { olderAfterLoss }: Bounds): Allowance[] {
  const inOrder = disturbances.toSorted((a, b) => a.from - b.from);
  return inOrder.flatMap(({ lostWrites, from, to }) => {
    if (lostWrites !== true) return [];
    let calmAt = to;
    for (const later of inOrder.filter(({ of }) => of !== 'machine')) {
      if (later.from >= from && later.from <= calmAt + olderAfterLoss) calmAt = Math.max(calmAt, later.to);
    }
    return { from, backAt: to, until: calmAt + olderAfterLoss };
  });
}

/** Whether an answer may be older: not when it claims to be synced at a time after Redis was back. */
function isExempt(
  { requestedAt, answeredAt, syncedAt = 0 }: Answer,
  allowances: readonly Allowance[],
): boolean {
  return allowances.some(
    ({ from, backAt, until }) => from <= answeredAt && requestedAt <= until && syncedAt <= backAt,
  );
}

function terminalApiStates({ stages }: TrueJob, api: Answer['api']): Set<string> {
  return new Set(stages.filter(({ state }) => isTerminal(state)).map(({ state }) => apiStateOf(state, api)));
}

function lifeOf({ stages }: TrueJob): string {
  return stages.map(({ state, position }) => `${state} at ${position}`).join(', ') || 'never submitted';
}

function violation(rule: string, answer: Answer, why: string): Violation {
  const { result, api, query, key, jobId, requestedAt } = answer;
  const said =
    result.kind === 'state'
      ? result.apiState
      : 'reason' in result
        ? `${result.kind} (${result.reason})`
        : result.kind;
  const when = new Date(requestedAt).toISOString().slice(11, 23);
  return { rule, what: `${when} ${query} (${api}) of job ${jobId} in ${key.jobSetId}: ${said}, ${why}` };
}
