import { ManualClock } from '@ajs/testing';
import { CheckGate } from './check-gate.js';

const checked = (): Promise<string> => Promise.resolve('checked');

it('says whose share is used up: that of the caller while there is room for others, else that of all', async () => {
  const gate = new CheckGate({ perSecond: 4, maxConcurrent: 100 }, new ManualClock());
  for (let i = 0; i < 3; i++) expect(await gate.run('busy', checked)).toBe('checked');
  await expect(gate.run('busy', checked)).rejects.toThrow(
    'too many credentials and permissions of yours are being checked right now; try again',
  );
  expect(await gate.run('another', checked)).toBe('checked');
  await expect(gate.run('a third', checked)).rejects.toThrow(
    /^too many credentials and permissions are being checked right now; try again$/,
  );
});
