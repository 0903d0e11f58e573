import { JobsService } from '@ajs/contracts/api/job';
import { RedisKeys } from '@ajs/redis-keys';
import { eventually, unary } from '@ajs/testing';
import { Redis } from 'ioredis';
import { Stack, pollCalmly, type LegacyAnswer, type RunningQuery } from '../stack.js';
import { QUEUE } from '../traffic.js';
import { Fleet, type Deployment, type Version } from './fleet.js';
import { LAYOUTS, buildTomorrow } from './tomorrow.js';
import { Workload, type WorkloadJob } from './workload.js';

const KEYS = new RedisKeys();

/** How long the events of a step may take to reach every answer. */
const ANSWERED_WITHIN_MS = 60_000;
/** The same where only older ingesters are left: they wait until no newer owner has written for 15 s, and try ever more rarely. */
const TAKEN_BACK_WITHIN_MS = 120_000;

const OLD = ['today'] as const;
const BOTH = ['today', 'tomorrow'] as const;
const NEW = ['tomorrow'] as const;

const tomorrow = await buildTomorrow('upgrade');

describe('a version with one more job state and one more field', () => {
  // Each with a Redis and an Armada of its own: they wait most of the time.
  it.concurrent.each([
    [
      'ingesters first and back queries first',
      [
        { ingester: OLD, query: OLD },
        { ingester: BOTH, query: OLD },
        { ingester: NEW, query: OLD },
        { ingester: NEW, query: BOTH },
        { ingester: NEW, query: NEW },
        { ingester: NEW, query: BOTH },
        { ingester: NEW, query: OLD },
        { ingester: BOTH, query: OLD },
        { ingester: OLD, query: OLD },
      ],
    ],
    [
      'queries first and back ingesters first',
      [
        { ingester: OLD, query: OLD },
        { ingester: OLD, query: BOTH },
        { ingester: OLD, query: NEW },
        { ingester: BOTH, query: NEW },
        { ingester: NEW, query: NEW },
        { ingester: BOTH, query: NEW },
        { ingester: OLD, query: NEW },
        { ingester: OLD, query: BOTH },
        { ingester: OLD, query: OLD },
      ],
    ],
    [
      'all at once and back',
      [
        { ingester: OLD, query: OLD },
        { ingester: BOTH, query: BOTH },
        { ingester: NEW, query: NEW },
        { ingester: OLD, query: OLD },
      ],
    ],
  ] satisfies [string, Deployment[]][])(
    'can be rolled out, %s, without a wrong answer or a job set that stands still',
    async (_, deployments) => {
      const stack = await Stack.start();
      const redis = new Redis(stack.redis.url);
      const layout = () => redis.hget(KEYS.metaKey(FIRST), 'layout');
      const fleet = new Fleet(stack, tomorrow);
      const workload = new Workload(stack.armada);
      try {
        await fleet.deploy({ ingester: OLD, query: OLD });
        let newest: readonly Version[] = OLD;
        for (const deployment of deployments) {
          await fleet.deploy(deployment);
          const isTakenBack = deployment.ingester === OLD && newest !== OLD;
          newest = deployment.ingester;
          workload.step();
          const withinMs = isTakenBack ? TAKEN_BACK_WITHIN_MS : ANSWERED_WITHIN_MS;
          await Promise.all(
            Array.from(fleet.queries, ([version, query]) =>
              answersBecomeRight(query, version, workload.jobs, deployment.ingester === NEW, withinMs),
            ),
          );
          // The next version did write what this one does not know, and this one did take it back.
          if (deployment.ingester === NEW) expect(await layout()).toBe(`${LAYOUTS.tomorrow}`);
          if (isTakenBack) {
            // Until then the query answers with what Armada's `api.Jobs` reports.
            const isBack = async () => (await layout()) === `${LAYOUTS.today}`;
            await eventually('the job set is taken back', isBack, TAKEN_BACK_WITHIN_MS);
            const left = fleet.ingesters
              .get('today')
              ?.logs.filter(({ msg }) => msg.includes('newer version'));
            expect(left).toHaveLength(1);
          }
        }
      } finally {
        redis.disconnect();
        await stack.stop();
      }
    },
    360_000,
  );
});

const FIRST = { queue: QUEUE, jobSetId: 'first' };

/**
 * Polls until every answer is right, and rejects where one is wrong meanwhile.
 *
 * @param isNewer every record was written by the next version: this one must say of each in the new state that it cannot be read
 */
async function answersBecomeRight(
  query: RunningQuery,
  version: Version,
  jobs: readonly WorkloadJob[],
  isNewer: boolean,
  withinMs: number,
): Promise<void> {
  const jobIds = jobs.map(({ ref }) => ref.jobId);
  const inNewState = jobs.filter(({ isPreempting }) => isPreempting);
  const wrong: string[] = [];
  await eventually(
    `all answers of ${version}’s query are right`,
    async () => {
      // In one tick, so that they are read from Redis together.
      const [answers, { answer }] = await Promise.all([
        Promise.all(jobs.map(({ ref }) => pollCalmly(query.client, ref, ref.jobId))),
        unary(query.client, JobsService.getJobStatus, { jobIds }),
      ]);
      const judged = jobs.map((job, i) => judge(job, version, answers[i]));
      for (const { verdict, what } of judged) if (verdict === 'wrong') wrong.push(what);
      for (const { verdict, what } of judged) if (verdict !== 'right') throw new Error(what);
      if (isNewer && version === 'today')
        expect(answers.filter(isUnreadable)).toHaveLength(inNewState.length);
      // Of jobs that cannot be read, `api.Jobs` has Armada's own answer.
      const states = jobs.map(({ ref }) => answer.jobStates[ref.jobId]);
      expect(states).toEqual(jobs.map(({ truth }) => truth.api));
      return true;
    },
    withinMs,
  );
  expect(wrong).toEqual([]);
}

const isUnreadable = ({ state, error }: LegacyAnswer): boolean =>
  state === 'CONNECTION_ERR' && error.includes('newer version');

/** Whether a legacy answer is right, late (it was right before the step, or the job is not known yet) or wrong. */
function judge(
  { ref, truth, isPreempting, before, isNew }: WorkloadJob,
  version: Version,
  answer?: LegacyAnswer,
): { readonly verdict: 'right' | 'late' | 'wrong'; readonly what: string } {
  if (answer === undefined) throw new Error('there is no answer');
  const { state, error } = answer;
  const what = `${ref.jobSetId} ${ref.jobId} by ${version}’s query: ${state} ${error}, but the job is ${truth.legacy}`;
  const isHonest = version === 'today' && isUnreadable(answer);
  if (state === truth.legacy || (isPreempting && isHonest)) return { verdict: 'right', what };
  const isKnownNoMore = before?.isPreempting === true && state === 'CONNECTION_ERR';
  const isNotKnownYet = isNew && ['CONNECTION_ERR', 'JOB_ID_NOT_FOUND'].includes(state);
  const isLate = state === before?.truth.legacy || isKnownNoMore || isNotKnownYet;
  return { verdict: isLate ? 'late' : 'wrong', what };
}
