import { MonotonicTime } from '@ajs/job-state';
import { Comparison, type Answer, type Finding, type StateName } from './comparison.js';

const TOLERANCE_MS = 30_000;
const REF = { queue: 'q', jobSetId: 's', jobId: 'j' };
const answer = (state?: StateName): Answer => ({ ...(state !== undefined && { state }), text: '' });

/** What both sides say, seconds after the beginning; `undefined`: no state. */
type Step = readonly [seconds: number, old: StateName | undefined, now: StateName | undefined];

function compared(...steps: Step[]): { comparison: Comparison; findings: string[] } {
  const comparison = new Comparison(TOLERANCE_MS);
  const findings = steps.flatMap(([seconds, old, now]): string[] => {
    const at = MonotonicTime(seconds * 1_000);
    const finding: Finding | undefined = comparison.observe(REF, answer(old), answer(now), at);
    return finding === undefined ? [] : [`${seconds} s: ${finding.kind} for ${finding.forMs / 1_000} s`];
  });
  return { comparison, findings };
}
const standing = (comparison: Comparison): string[] => Array.from(comparison.standings([REF]).keys());

describe('two sides', () => {
  it('that say the same have no difference, and are alike once the job has ended', () => {
    const { comparison, findings } = compared([0, 'RUNNING', 'RUNNING'], [100, 'RUNNING', 'RUNNING']);
    expect([findings, standing(comparison)]).toEqual([[], ['agree']]);
    const ended = compared([0, 'RUNNING', 'RUNNING'], [1, 'FAILED', 'FAILED']);
    expect([ended.findings, standing(ended.comparison)]).toEqual([[], ['ended alike']]);
  });

  it.each([
    ['the new one is ahead', 'RUNNING', 'SUCCEEDED'],
    ['the old one is ahead', 'SUCCEEDED', 'RUNNING'],
    ['one knows no such job', 'RUNNING', 'JOB_ID_NOT_FOUND'],
    ['one has no answer', 'RUNNING', undefined],
    ['they know of different ends', 'FAILED', 'SUCCEEDED'],
  ] as const)('differ where %s for longer than the tolerance, and are reported once', (_, old, now) => {
    const { comparison, findings } = compared([5, old, now], [35, old, now], [36, old, now], [99, old, now]);
    expect(findings).toEqual(['36 s: differ for 31 s']);
    expect(standing(comparison)).toEqual(['differ']);
    expect(comparison.differences).toMatchObject([{ ref: REF, forMs: 94_000 }]);
  });

  it('may lag behind each other for as long as the answers change', () => {
    const { comparison, findings } = compared(
      [0, 'RUNNING', 'SUBMITTED'],
      [29, 'SUCCEEDED', 'SUBMITTED'],
      [58, 'SUCCEEDED', 'RUNNING'],
      [87, 'SUCCEEDED', 'SUCCEEDED'],
    );
    expect([findings, standing(comparison)]).toEqual([[], ['ended alike']]);
  });

  it('that differ since a short time are unsure', () => {
    const { comparison, findings } = compared([0, 'SUCCEEDED', 'RUNNING'], [30, 'SUCCEEDED', 'RUNNING']);
    expect([findings, standing(comparison)]).toEqual([[], ['unsure']]);
  });

  it('that agree again are reported so, and counted as having differed', () => {
    const { comparison, findings } = compared(
      [0, 'SUCCEEDED', 'RUNNING'],
      [31, 'SUCCEEDED', 'RUNNING'],
      [40, 'SUCCEEDED', 'SUCCEEDED'],
      [41, 'SUCCEEDED', 'SUCCEEDED'],
    );
    expect(findings).toEqual(['31 s: differ for 31 s', '40 s: agree for 0 s']);
    expect([standing(comparison), comparison.differences]).toEqual([['differ'], []]);
  });

  it('that differ in another way are reported again', () => {
    const { findings } = compared(
      [0, 'RUNNING', 'SUBMITTED'],
      [31, 'RUNNING', 'SUBMITTED'],
      [32, 'FAILED', 'SUBMITTED'],
      [63, 'FAILED', 'SUBMITTED'],
    );
    expect(findings).toEqual(['31 s: differ for 31 s', '63 s: differ for 31 s']);
  });

  it('that both have no answer are not compared', () => {
    const { comparison, findings } = compared([0, undefined, undefined], [99, undefined, undefined]);
    expect([findings, standing(comparison)]).toEqual([[], ['not compared']]);
    expect(standing(new Comparison(TOLERANCE_MS))).toEqual(['not compared']);
  });
});

it.each<[boolean, string, Step[]]>([
  [true, 'both say that it ended so', [[0, 'SUCCEEDED', 'SUCCEEDED']]],
  [false, 'one says that it goes on', [[0, 'SUCCEEDED', 'RUNNING']]],
  [false, 'both say that it goes on', [[0, 'RUNNING', 'RUNNING']]],
  [false, 'both know no such job', [[0, 'JOB_ID_NOT_FOUND', 'JOB_ID_NOT_FOUND']]],
  [false, 'neither answers', [[0, undefined, undefined]]],
  [false, 'they say since a moment that it ended differently', [[0, 'SUCCEEDED', 'FAILED']]],
  [
    true,
    'they have said for long enough that it ended differently',
    [
      [0, 'SUCCEEDED', 'FAILED'],
      [31, 'SUCCEEDED', 'FAILED'],
    ],
  ],
])('a job is settled (%s) where %s', (settled, _, steps) => {
  expect(compared(...steps).comparison.isSettled(REF)).toBe(settled);
});
