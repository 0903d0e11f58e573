import { JobId, type JobSetKey } from '@ajs/job-state';
import { JobLocator } from './job-locator.js';

const KEY: JobSetKey = { queue: 'q', jobSetId: 's' };
const [JOB, ABSENT] = [JobId('j'), JobId('absent')];
const MINUTE = 60_000;

let now: number;
let asked: number;

const aLocator = (): JobLocator =>
  new JobLocator(
    {
      find: (jobIds) => {
        asked += jobIds.length;
        const found = jobIds.filter((jobId) => jobId !== ABSENT);
        return Promise.resolve(new Map(found.map((jobId) => [jobId, KEY])));
      },
    },
    () => now,
  );
/** How many of these jobs are looked up. */
async function lookedUp(locator: JobLocator, ...jobIds: readonly JobId[]): Promise<number> {
  asked = 0;
  const located = await locator.locate(jobIds);
  expect(located).toEqual(new Map(jobIds.filter((jobId) => jobId !== ABSENT).map((jobId) => [jobId, KEY])));
  return asked;
}
const jobs = (name: string, count: number): JobId[] =>
  Array.from({ length: count }, (_, i) => JobId(`${name}${i}`));

beforeEach(() => (now = 0));

describe('where a job was found', () => {
  it.each([0, 1, 5 * MINUTE - 1, 5 * MINUTE, 10 * MINUTE - 1])(
    'is known for at least five minutes and for less than ten, at whatever time that was (%i ms)',
    async (foundAt) => {
      const locator = aLocator();
      now = foundAt;
      expect(await lookedUp(locator, JOB)).toBe(1);
      now = foundAt + 5 * MINUTE - 1;
      expect(await lookedUp(locator, JOB)).toBe(0);
      now = foundAt + 10 * MINUTE;
      expect(await lookedUp(locator, JOB)).toBe(1);
    },
  );

  it('is forgotten in time also where nobody asked meanwhile', async () => {
    const locator = aLocator();
    await lookedUp(locator, JOB);
    now = 10 * MINUTE;
    expect(await lookedUp(locator, JOB)).toBe(1);
  });

  it('is forgotten once very many other jobs were found', async () => {
    const locator = aLocator();
    await lookedUp(locator, JOB);
    await lookedUp(locator, ...jobs('a', 25_000));
    expect(await lookedUp(locator, JOB)).toBe(0);
    await lookedUp(locator, ...jobs('b', 25_000));
    expect(await lookedUp(locator, JOB)).toBe(1);
  });
});

it('a job that was not found is looked up each time, and no other with it', async () => {
  const locator = aLocator();
  expect(await lookedUp(locator, JOB, ABSENT)).toBe(2);
  expect(await lookedUp(locator, JOB, ABSENT)).toBe(1);
});
