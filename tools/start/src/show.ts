import type { JobBoard, Move } from './job-board.js';
import { boardLines, moveLine } from './board-view.js';

const REDRAW_MS = 250;
const KEPT_MOVES = 50;

/** Shows the board: on a terminal a table that is redrawn in place, elsewhere one line per change of state. */
export class Show {
  private readonly moves: Move[] = [];
  private drawn = 0;
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly output: NodeJS.WriteStream) {}

  start(board: JobBoard): void {
    if (!this.output.isTTY) return;
    this.timer = setInterval(() => this.draw(board), REDRAW_MS);
  }

  stop(): void {
    clearInterval(this.timer);
  }

  moved(move: Move): void {
    if (!this.output.isTTY) {
      this.output.write(`${moveLine(move)}\n`);
      return;
    }
    this.moves.push(move);
    if (this.moves.length > KEPT_MOVES) this.moves.shift();
  }

  private draw(board: JobBoard): void {
    const lines = boardLines(board.progress(), this.moves, this.output.columns || 120);
    // Back to where the table began, then each line again, and clear what is left of a longer table.
    const up = this.drawn > 0 ? `\u001b[${this.drawn}A` : '';
    this.output.write(`${up}${lines.map((line) => `\u001b[2K${line}`).join('\n')}\n\u001b[J`);
    this.drawn = lines.length;
  }
}
