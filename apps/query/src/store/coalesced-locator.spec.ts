import { JobId, type JobSetKey } from '@ajs/job-state';
import { CoalescedLocator } from './coalesced-locator.js';

const KEY: JobSetKey = { queue: 'q', jobSetId: 's' };
const [A, B, C] = [JobId('a'), JobId('b'), JobId('c')];

let asked: (readonly JobId[])[];
let failure: Error | undefined;
let locator: CoalescedLocator;

beforeEach(() => {
  asked = [];
  failure = undefined;
  locator = new CoalescedLocator({
    locate: (jobIds) => {
      asked.push(jobIds);
      if (failure !== undefined) return Promise.reject(failure);
      return Promise.resolve(new Map(jobIds.filter((jobId) => jobId !== C).map((jobId) => [jobId, KEY])));
    },
  });
});

describe('look-ups in the job index', () => {
  it('of one turn of the event loop are one, and each brings its own jobs alone', async () => {
    const [first, second] = await Promise.all([locator.locate([A, C]), locator.locate([A, B])]);
    expect(asked).toEqual([[A, C, B]]);
    expect([[...first.keys()], [...second.keys()]]).toEqual([[A], [A, B]]);
    await locator.locate([B]);
    expect(asked).toEqual([[A, C, B], [B]]);
  });

  it('of very many jobs are made in parts', async () => {
    const many = Array.from({ length: 2_500 }, (_, n) => JobId(`j${n}`));
    expect((await locator.locate(many)).size).toBe(2_500);
    expect(asked.map(({ length }) => length)).toEqual([1_000, 1_000, 500]);
  });

  it('that fail fail for all who share them, and for nobody after that', async () => {
    failure = new Error('Connection is closed.');
    const shared = await Promise.allSettled([locator.locate([A]), locator.locate([B])]);
    expect(shared.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    failure = undefined;
    expect((await locator.locate([A])).get(A)).toBe(KEY);
  });
});
