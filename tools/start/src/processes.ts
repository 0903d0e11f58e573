import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { endWithThisProcess } from '@ajs/testing';

const STOP_MS = 6_000;
const TAIL = 4_000;

interface Running {
  readonly name: string;
  readonly child: ChildProcess;
}

/** The processes that this tool started: each with a log file, all stopped together. */
export class Processes {
  private readonly running: Running[] = [];
  private stopping = false;

  /** `died` is called when a process ends by itself, with the reason and its last output. */
  constructor(
    private readonly logFolder: string,
    private readonly died: (why: string) => void,
  ) {
    mkdirSync(logFolder, { recursive: true });
  }

  /** Starts `node script args`; resolves to the result of `ready` for the first output line that has one. */
  start<T>(
    name: string,
    script: string,
    args: readonly string[],
    env: Readonly<Record<string, string>>,
    ready: (line: string) => T | undefined,
  ): Promise<T> {
    // A process group of its own: Ctrl-C reaches only this tool, which then stops the others in order.
    const child = spawn(process.execPath, ['--enable-source-maps', script, ...args], {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    endWithThisProcess(child);
    this.running.push({ name, child });
    const log = createWriteStream(join(this.logFolder, `${name}.log`));
    let tail = '';
    return new Promise((resolve, reject) => {
      const heard = (chunk: Buffer): void => {
        log.write(chunk);
        tail = (tail + chunk.toString()).slice(-TAIL);
        for (const line of tail.split('\n')) {
          const result = ready(line);
          if (result !== undefined) resolve(result);
        }
      };
      child.stdout.on('data', heard);
      child.stderr.on('data', heard);
      child.once('error', reject);
      child.once('exit', (code, signal) => {
        const why = `${name} exited with ${code ?? signal}:\n${tail}`;
        reject(new Error(why));
        if (!this.stopping) this.died(why);
      });
    });
  }

  /** Stops them all, the last one started first. A process that does not stop in time is killed. */
  async stop(): Promise<void> {
    this.stopping = true;
    for (const { child } of this.running.splice(0).reverse()) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const exited = once(child, 'exit');
      child.kill('SIGTERM');
      const kill = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
      await exited;
      clearTimeout(kill);
    }
  }
}
