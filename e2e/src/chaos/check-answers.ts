import { mintedAt } from '../job-ids.js';
import { allowancesOf, type Allowance } from './allowances.js';
import { BOUNDS, type Bounds } from './bounds.js';
import { groupBy } from './group-by.js';
import type { Answer, History, TrueJob, Disturbance, Violation } from './history.js';
import { InRedis } from './in-redis.js';
import { isLost } from './lost-jobs.js';
import { Reported, type Before } from './reported.js';
import { isCurrentAt, isFromTheStream, nextStage, possibleStages, reportedEnd } from './stages.js';
import { isTerminal, apiStateOf } from './api-states.js';

type Rule = (answer: Answer, of: Known) => Violation | undefined;

/** The context that an answer is judged in. */
interface Known {
  readonly job: TrueJob;
  readonly bounds: Bounds;
  readonly disturbances: readonly Disturbance[];
  readonly allowances: readonly Allowance[];
  /** The least position of the job set's cursor that answers received before the request imply. */
  readonly floor: number;
  /** What answers received before the request reported of the job, by any API and query. */
  readonly before: Before;
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
    const reported = new Reported(bounds);
    const inRedis = new InRedis(disturbances);
    const inOrder = ofSet.toSorted((a, b) => a.requestedAt - b.requestedAt);
    const waiting = ofSet.toSorted((a, b) => a.answeredAt - b.answeredAt);
    const asked = new Map<Answer, Known>();
    let received = 0;
    for (const answer of inOrder) {
      for (; received < waiting.length; received++) {
        const earlier = waiting[received];
        if (earlier === undefined || earlier.answeredAt >= answer.requestedAt) break;
        const of = jobs.get(earlier.jobId);
        if (of === undefined || isLost(of, disturbances, earlier.answeredAt)) continue;
        const known = asked.get(earlier);
        if (known !== undefined && !isExempt(earlier, allowances)) reported.add(earlier, of, known);
        if (earlier.result.kind === 'state') inRedis.add(earlier, reportedEnd(earlier, of) !== undefined);
      }
      const job = jobs.get(answer.jobId) ?? { key: answer.key, jobId: answer.jobId, stages: [] };
      if (isLost(job, disturbances, answer.answeredAt)) continue;
      const known = {
        job,
        bounds,
        disturbances,
        allowances,
        floor: reported.floor,
        before: reported.of(answer.jobId),
        isInRedis: inRedis.has(answer),
      };
      asked.set(answer, known);
      for (const rule of RULES) {
        const violation = rule(answer, known);
        if (violation !== undefined) violations.push(violation);
      }
    }
  }
  return violations;
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
  const { result, api } = answer;
  if (result.kind !== 'state' || before.end === undefined) return undefined;
  if (apiStateOf(before.end, api) === result.apiState || isExempt(answer, allowances)) return undefined;
  return violation('terminal state changed (P1)', answer, `after ${before.end} was reported`);
};

const wentBack: Rule = (answer, { job, before, allowances }) => {
  const { position, end } = before;
  if (position === undefined || end !== undefined || isExempt(answer, allowances)) return undefined;
  const possible = possibleStages(answer, job);
  if (possible.length === 0 || possible.some((stage) => stage.position >= position)) return undefined;
  return violation(
    'reported an earlier state than before (P1)',
    answer,
    `after an answer that needs message ${position} (${lifeOf(job)})`,
  );
};

const older: Rule = (answer, { job, floor, allowances, bounds }) => {
  if (!isFromTheStream(answer, job, bounds) || isExempt(answer, allowances)) return undefined;
  const possible = possibleStages(answer, job);
  if (possible.length === 0 || possible.some((stage) => isCurrentAt(floor, stage, job))) return undefined;
  return violation(
    'answered from an older cursor (P1)',
    answer,
    `after an answer that needs message ${floor} (${lifeOf(job)})`,
  );
};

const falselySynced: Rule = (answer, { job, bounds }) => {
  const { result, syncedAt } = answer;
  if (result.kind !== 'state' || syncedAt === undefined) return undefined;
  const [last] = possibleStages(answer, job).slice(-1);
  const next = last && nextStage(last, job);
  if (next?.publishedAt === undefined || next.publishedAt > syncedAt - bounds.clocks) return undefined;
  const ms = Math.round(syncedAt - next.publishedAt);
  return violation(
    'claimed to be synced but was not (P7)',
    answer,
    `synced at a time ${ms} ms after the stream had ${next.state}`,
  );
};

const falseNotFound: Rule = (answer, { job, before, bounds }) => {
  if (answer.result.kind !== 'not-found') return undefined;
  // UNKNOWN of api.Jobs is Armada's own word, for any id.
  if (answer.api === 'legacy' && mintedAt(answer.jobId) > answer.requestedAt - bounds.notFoundGrace) {
    return violation('young job reported as not found (P6)', answer, 'although its id is young');
  }
  if (before.position !== undefined) {
    return violation('not found after a state was reported', answer, 'after a state was reported');
  }
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

const RULES: readonly Rule[] = [
  neverHad,
  endChanged,
  wentBack,
  older,
  falselySynced,
  falseNotFound,
  late,
  hidden,
];

/** Whether an answer may be older: not when it claims to be synced at a time after Redis was back. */
function isExempt(
  { requestedAt, answeredAt, syncedAt = 0 }: Answer,
  allowances: readonly Allowance[],
): boolean {
  return allowances.some(
    ({ from, backAt, until }) => from <= answeredAt && requestedAt <= until && syncedAt <= backAt,
  );
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
