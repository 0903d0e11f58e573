import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { endWithThisProcess } from '@ajs/testing';

const START_MS = 20_000;

/** A child process: what is measured must not share the benchmark's event loop. */
export class Child {
  private constructor(private readonly child: ChildProcess) {}

  /** Starts `node script args`; resolves with the first result of `ready` for a line of its output. */
  static async start<T>(
    script: string,
    args: readonly string[],
    env: Readonly<Record<string, string>>,
    ready: (line: string) => T | undefined,
    withinMs = START_MS,
  ): Promise<{ child: Child; started: T }> {
    const child = spawn(process.execPath, [script, ...args], {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    endWithThisProcess(child);
    const started = await new Promise<T>((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`${script} did not start`)), withinMs);
      createInterface({ input: child.stdout }).on('line', (line) => {
        const result = ready(line);
        if (result === undefined) return;
        clearTimeout(late);
        resolve(result);
      });
      child.once('exit', (code) => reject(new Error(`${script} ended with ${code}`)));
    });
    return { child: new Child(child), started };
  }

  get pid(): number {
    return this.child.pid ?? NaN;
  }

  async stop(signal: 'SIGTERM' | 'SIGKILL' = 'SIGKILL'): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const exited = once(this.child, 'exit');
    this.child.kill(signal);
    await exited;
  }
}

/** Starts a built application; resolves to the fields of its `started` log line. */
export async function startApp(
  app: 'ingester' | 'query',
  env: Readonly<Record<string, string>>,
): Promise<{ child: Child; started: Record<string, unknown> }> {
  const local = {
    AUTH_MODE: 'anonymous',
    QUERY_GRPC_ADDRESS: '127.0.0.1:0',
    QUERY_HTTP_ADDRESS: '127.0.0.1:0',
    INGESTER_HTTP_ADDRESS: '127.0.0.1:0',
  };
  return Child.start(`dist/apps/${app}/main.js`, [], { ...local, ...env }, (line) => {
    const logged = JSON.parse(line) as Record<string, unknown>;
    return logged['msg'] === 'started' ? logged : undefined;
  });
}
