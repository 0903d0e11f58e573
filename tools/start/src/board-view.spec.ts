import { boardLines, moveLine } from './board-view.js';
import type { JobSetProgress, Move, StateName } from './job-board.js';

const progress = (jobSetId: string, counts: Record<StateName, number>, ended: number): JobSetProgress => ({
  key: { queue: 'demo', jobSetId },
  jobs: Object.values(counts).reduce((sum, count) => sum + count, 0),
  ended,
  counts: new Map(Object.entries(counts)),
});
const move: Move = { jobSetId: 's', jobId: 'j', from: 'RUNNING', to: 'FAILED', reason: 'exit\ncode 1' };

describe('the board', () => {
  it('shows one row for each job set with its progress', () => {
    const [header, first, second] = boardLines(
      [progress('one', { RUNNING: 5, SUCCEEDED: 4, FAILED: 1 }, 5), progress('two', {}, 0)],
      [],
      200,
    );
    expect(header).toMatch(
      /^JOB SET +PROGRESS +ENDED +QUEUED +LEASED +PENDING +RUNNING +SUCCEEDED +FAILED +CANCELLED$/,
    );
    expect(first).toMatch(/^demo\/one +\[#{10}\.{10}\] +5\/10 +0 +0 +0 +5 +4 +1 +0$/);
    expect(second).toContain('0/0');
  });

  it('shows the latest changes of state, one per line', () => {
    const moves = Array.from({ length: 20 }, (_, i) => ({ ...move, jobId: `j${i}` }));
    const lines = boardLines([], moves, 200);
    expect(lines.filter((line) => line.includes('RUNNING -> FAILED'))).toHaveLength(8);
    expect(lines.at(-1)).toBe('s  j19  RUNNING -> FAILED  (exit code 1)');
    expect(moveLine(move)).not.toContain('\n');
  });

  it('fits the width of the terminal', () => {
    for (const line of boardLines([progress('x'.repeat(100), {}, 0)], [move], 40)) {
      expect(line.length).toBeLessThanOrEqual(40);
    }
  });
});
