import type { RedisClient } from '@ajs/job-store';
import { createLog } from '@ajs/observability';
import { warnOfEviction } from './eviction-check.js';

let lines: { readonly level: string; readonly msg: string }[];

const check = (info: () => Promise<string>): Promise<void> => {
  lines = [];
  const log = createLog('ingester', 'info', {
    write: (line: string) => lines.push(JSON.parse(line) as (typeof lines)[number]),
  });
  return warnOfEviction({ info } as unknown as RedisClient, log);
};

describe('the check for a Redis that evicts keys', () => {
  it('says nothing of one that does not', async () => {
    await check(() => Promise.resolve('# Memory\r\nmaxmemory:1\r\nmaxmemory_policy:noeviction\r\n'));
    expect(lines).toEqual([]);
  });

  it.each([
    [
      'the policy where there is another one',
      'maxmemory:1\r\nmaxmemory_policy:allkeys-lru\r\n',
      'allkeys-lru',
    ],
    ['that it is not known where Redis does not report it', 'maxmemory:1\r\n', 'unknown'],
  ])('warns, and names %s', async (_, info, policy) => {
    await check(() => Promise.resolve(info));
    expect(lines).toMatchObject([{ level: 'warn', policies: [policy] }]);
  });

  it('warns where Redis cannot be asked, and lets the process go on', async () => {
    await check(() => Promise.reject(new Error('NOPERM no permission to run INFO')));
    expect(lines).toMatchObject([
      { level: 'warn', msg: expect.stringContaining('could not check that Redis evicts no keys') as string },
    ]);
  });
});
