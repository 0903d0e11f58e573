import { ArmadaTime, addMs } from './times.js';
import { compareStages, type Stage } from './stage.js';

const at = ArmadaTime(1_795_493_217_053);
const later = (ms: number): ArmadaTime => addMs(at, ms);
const stage = (state: Stage['state'], sinceMs = 0, leasedAt?: ArmadaTime): Stage => ({
  state,
  at: later(sinceMs),
  leasedAt,
});

describe('the stages of a job', () => {
  /** In each row the first is less far than the second. */
  it.each<[string, Stage, Stage]>([
    ['submitted, queued', stage('SUBMITTED', 60_000), stage('QUEUED')],
    ['queued, leased, whatever the clocks say', stage('QUEUED', 60_000), stage('LEASED', 0, at)],
    ['queued, running in a run whose lease is not known', stage('QUEUED', 60_000), stage('RUNNING')],
    ['queued, queued again', stage('QUEUED', 60_000), stage('QUEUED', 0, at)],
    [
      'leased, pending in one run, whatever the clocks say',
      stage('LEASED', 60_000, at),
      stage('PENDING', 0, at),
    ],
    ['pending, running in one run', stage('PENDING', 60_000, at), stage('RUNNING', 0, at)],
    ['running, queued again after that run', stage('RUNNING', 60_000, at), stage('QUEUED', 0, at)],
    ['one run, the next', stage('RUNNING', 60_000, at), stage('LEASED', 0, later(101))],
    ['queued after one run, leased for the next', stage('QUEUED', 0, at), stage('LEASED', 0, later(101))],
    ['leases as they are rounded', stage('LEASED', 0, later(100)), stage('PENDING', 0, at)],
    ['clearly earlier, where a lease is not known', stage('RUNNING'), stage('LEASED', 5_001, at)],
    ['too close to tell, where a lease is not known', stage('LEASED', 5_000), stage('RUNNING', 0, at)],
    ['running, ended', stage('RUNNING', 60_000, at), stage('FAILED')],
    ['submitted, ended', stage('SUBMITTED'), stage('CANCELLED')],
  ])('stand in the order of its life: %s', (_, a, b) => {
    expect(compareStages(a, b)).toBeLessThan(0);
    expect(compareStages(b, a)).toBeGreaterThan(0);
  });

  it.each<[string, Stage, Stage]>([
    ['one state of one run', stage('RUNNING', 0, at), stage('RUNNING', 60_000, later(100))],
    ['one state at about one time', stage('RUNNING'), stage('RUNNING', 5_000, at)],
    ['two ends', stage('SUCCEEDED'), stage('FAILED', 60_000, at)],
    ['queued before its first run', stage('QUEUED'), stage('QUEUED', 60_000)],
  ])('are as far as one another: %s', (_, a, b) => {
    expect(compareStages(a, b)).toBe(0);
    expect(compareStages(b, a)).toBe(0);
  });
});
