import { AssignmentId } from './assignment-id.js';
import { UpstreamQuota } from './upstream-quota.js';
import type { WatchBudget } from './watch-budget.js';

const TURN_ID = AssignmentId('t');
const STANDING = () => ({ cursor: '', unfinished: 0 });

describe('the plan of a turn', () => {
  let held: Set<string>;
  let told: boolean[];
  let give: () => void;

  beforeEach(() => {
    held = new Set();
    told = [];
  });

  const planOf = () => {
    const watches = {
      confirmAboveShare: () => Promise.resolve(false),
      holds: (turnId: string) => held.has(turnId),
      release: (turnId: string) => held.delete(turnId),
      claim: (turnId: string) =>
        new Promise<boolean>((done) => {
          give = () => {
            held.add(turnId);
            done(true);
          };
        }),
    } as unknown as WatchBudget;
    const planner = new UpstreamQuota({
      interest: { age: () => Promise.resolve(0) },
      lifetime: { followFor: 1_000, followUnfinishedFor: 1_000, keepFor: 1_000 },
      watches,
      now: () => 0,
    } as unknown as ConstructorParameters<typeof UpstreamQuota>[0]);
    return planner.quotaOf({
      assignmentId: TURN_ID,
      key: { queue: 'q', jobSetId: 's' },
      wasWatched: false,
      holder: { watchGranted: () => void told.push(true), watchRevoked: () => void told.push(false) },
    });
  };

  /** As far as it gets until the budget answers. */
  const claimed = async (plan: ReturnType<typeof planOf>): Promise<() => Promise<unknown>> => {
    const next = plan.nextStep(STANDING);
    await new Promise((resolve) => setImmediate(resolve));
    return () => next;
  };

  it('has the watch that it is given, and tells', async () => {
    const plan = planOf();
    const next = await claimed(plan);
    give();
    expect(await next()).toBe('watch');
    expect([plan.isWatched, told]).toEqual([true, [true]]);
  });

  it('gives its watch up where there is nothing to watch, and tells', async () => {
    const plan = planOf();
    const next = await claimed(plan);
    give();
    await next();
    plan.releaseWatch('PERMISSION_DENIED: no');
    expect([held.size, told]).toEqual([0, [true, false]]);
  });

  it('gives a watch back that comes when the turn is over: nobody else would', async () => {
    const plan = planOf();
    const next = await claimed(plan);
    plan.release();
    give();
    await next().catch(() => undefined);
    expect([held.size, told]).toEqual([0, []]);
  });
});
