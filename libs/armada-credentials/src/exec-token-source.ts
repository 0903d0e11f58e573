import { spawn, type ChildProcessByStdio } from 'node:child_process';
import type { Readable } from 'node:stream';
import { jwtExpiry } from '@ajs/platform';
import { authorizationOf, type TokenSource } from './token.js';

/** armadactl waits for ever, since a person may have to answer; nobody does so here. Milliseconds. */
const TIME_OUT_MS = 30_000;
const MAX_OUTPUT_BYTES = 64 * 1024;

export interface ExecCommand {
  readonly where: string;
  readonly cmd: string;
  readonly args: readonly string[];
  /** Added to the environment of this process. */
  readonly env: Readonly<Record<string, string>>;
}

/**
 * The output of a command, which runs without input. Its standard error is discarded: it may hold secrets, and anyone may run the
 * command to see it.
 */
export function execTokenSource(command: ExecCommand, timeOutMs = TIME_OUT_MS): TokenSource {
  return {
    where: command.where,
    fetch: async (signal) => {
      const token = (await outputOf(command, timeOutMs, signal)).trim();
      if (token === '') throw new Error(`${command.cmd} printed no token`);
      return { authorization: authorizationOf('Bearer', token), expiresAt: jwtExpiry(token) };
    },
  };
}

function outputOf(command: ExecCommand, timeOutMs: number, signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    const { cmd } = command;
    const child = started(command);
    const chunks: Buffer[] = [];
    let size = 0;
    const settle = (act: () => void): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      act();
    };
    const giveUp = (reason: string): void => {
      killGroup(child.pid);
      child.stdout.destroy();
      settle(() => reject(new Error(reason)));
    };
    const onAbort = (): void => giveUp('this process is shutting down');
    const timer = setTimeout(() => giveUp(`${cmd} did not exit within ${timeOutMs / 1000} s`), timeOutMs);
    signal.addEventListener('abort', onAbort);
    child.stdout.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      size += chunk.length;
      if (size > MAX_OUTPUT_BYTES) giveUp(`${cmd} printed more than ${MAX_OUTPUT_BYTES} bytes`);
    });
    child.on('error', (error) => settle(() => reject(notStarted(cmd, error))));
    child.on('close', (code, killedBy) =>
      settle(() =>
        code === 0
          ? resolve(Buffer.concat(chunks).toString())
          : reject(
              new Error(
                `${cmd} exited with ${code ?? killedBy ?? 'nothing'}; run it by hand as the same user to see its output`,
              ),
            ),
      ),
    );
  });
}

function started({ cmd, args, env }: ExecCommand): ChildProcessByStdio<null, Readable, null> {
  try {
    // Detached, it leads a process group of its own, which can be killed as a whole.
    return spawn(cmd, args, {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'ignore'],
      detached: true,
    });
  } catch (error) {
    throw notStarted(cmd, error);
  }
}

/** Without the text of Node's error, which shows an argument or a variable that cannot be passed on. */
function notStarted(cmd: string, error: unknown): Error {
  return new Error(`${cmd} could not be started: ${(error as NodeJS.ErrnoException).code}`);
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It has already exited.
  }
}
