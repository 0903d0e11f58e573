import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { endWithThisProcess, eventually } from '@ajs/testing';
import { ROOT } from './root.js';

/** Longer than a process takes to start or to end, on a machine that is busy with other work as well. */
const PATIENCE_MS = 45_000;

/** A line of an application's log. */
export interface LogLine {
  readonly level: string;
  readonly msg: string;
  readonly [key: string]: unknown;
}

/** How a process ended: its exit code, or the signal that ended it. */
export type Exit = number | NodeJS.Signals;

/** A built application in a process of its own, as a user would run it. */
export class AppProcess {
  readonly logs: LogLine[] = [];
  /** Printed lines that are not log lines. */
  output = '';
  exit: Exit | undefined;
  private readonly child: ChildProcess;

  constructor(
    script: string,
    env: Readonly<Record<string, string>>,
    args: readonly string[] = [],
    cwd = ROOT,
    node = process.execPath,
  ) {
    const { PATH = '', HOME = '' } = process.env;
    this.child = spawn(node, [script, ...args], {
      cwd,
      env: { PATH, HOME, ...env },
      stdio: 'pipe',
    });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      if (stream === null) continue;
      createInterface({ input: stream }).on('line', (line) => this.onLine(line));
    }
    endWithThisProcess(this.child);
    // Not `exit`, which may come before the last of what it printed.
    this.child.once('close', (code, signal) => (this.exit = code ?? signal ?? 'SIGKILL'));
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** Waits for a log line; rejects at once if the process ends without it. */
  async logged(
    msg: string,
    about: (line: LogLine) => boolean = () => true,
    withinMs = PATIENCE_MS,
  ): Promise<LogLine> {
    const found = (): LogLine | undefined => this.logs.find((line) => line.msg === msg && about(line));
    await eventually(
      `the log line "${msg}"`,
      () => found() !== undefined || this.exit !== undefined,
      withinMs,
    );
    const line = found();
    if (line === undefined) throw new Error(`ended with ${this.exit} before "${msg}":\n${this.printed()}`);
    return line;
  }

  /** What it printed last, for people. */
  get lastLines(): string {
    return [...this.logs.slice(-5).map((line) => JSON.stringify(line)), this.output.slice(-2_000)].join('\n');
  }

  async ended(withinMs = PATIENCE_MS): Promise<Exit> {
    return eventually('the process ends', () => this.exit, withinMs).catch((error: unknown) => {
      throw new Error(`${(error as Error).message}\n${this.printed()}`);
    });
  }

  /** SIGKILL. */
  async kill(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.ended();
  }

  private printed(): string {
    return `${this.logs.map((line) => JSON.stringify(line)).join('\n')}\n${this.output}`;
  }

  private onLine(line: string): void {
    if (line.startsWith('{')) this.logs.push(JSON.parse(line) as LogLine);
    else this.output += `${line}\n`;
  }
}
