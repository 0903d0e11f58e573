import { ArmadaTime, JobId, type JobRecord } from '@ajs/job-state';
import { RecordCache, type CachedRecords } from './record-cache.js';

const record = (state: JobRecord['state'] = 'RUNNING'): JobRecord => ({
  state,
  runNumber: 1,
  changedAt: ArmadaTime(1),
});
const records = (...jobIds: string[]): Map<JobId, JobRecord> =>
  new Map(jobIds.map((jobId) => [JobId(jobId), record()]));
const ofWriter = (): CachedRecords => new Map();
const always = (): boolean => true;

describe('records that writers keep in memory', () => {
  it('go, all of a writer, where there are too many and it used them least recently', () => {
    const cache = new RecordCache(4);
    const [first, second, third] = [ofWriter(), ofWriter(), ofWriter()];
    cache.update(first, records('a', 'b'), always);
    cache.update(second, records('c'), always);
    cache.update(first, records('a'), always);
    cache.update(third, records('d', 'e'), always);
    expect([first.size, second.size, third.size]).toEqual([2, 0, 2]);
  });

  it('go where one writer alone has too many', () => {
    const cache = new RecordCache(2);
    const all = ofWriter();
    cache.update(all, records('a', 'b', 'c'), always);
    expect(all.size).toBe(0);
    cache.update(all, records('a', 'b'), always);
    expect(all.size).toBe(2);
  });

  it('are forgotten where they are not worth keeping any more, and make room', () => {
    const cache = new RecordCache(2);
    const [first, second] = [ofWriter(), ofWriter()];
    cache.update(first, records('a'), always);
    cache.update(second, records('b'), always);
    cache.update(second, new Map([[JobId('b'), record('SUCCEEDED')]]), ({ state }) => state === 'RUNNING');
    cache.update(second, records('c'), always);
    expect([[...first.keys()], [...second.keys()]]).toEqual([['a'], ['c']]);
  });

  it('make room once they are cleared', () => {
    const cache = new RecordCache(2);
    const [first, second] = [ofWriter(), ofWriter()];
    cache.update(first, records('a'), always);
    cache.update(second, records('b'), always);
    cache.clear(second);
    cache.update(second, records('c'), always);
    expect([first.size, second.size]).toEqual([1, 1]);
  });
});
