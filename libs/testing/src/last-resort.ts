import { spawn, type ChildProcess } from 'node:child_process';
import type { Socket } from 'node:net';

/** Runs the last line of its input, once that has ended. */
const GUARD = 'while read -r line; do last=$line; done; eval "$last"';

interface Guard {
  /** It ends with this process, and with nothing else. */
  readonly input: Socket;
}

const commands = new Set<string>();
let guard: Guard | undefined;

/**
 * Has a command run once this process has ended, however it ended, the latest command first: an `exit` event comes neither to tests (Jest
 * has them to itself) nor after SIGKILL.
 *
 * @returns what calls it off
 */
export function lastResort(...words: readonly (string | number)[]): () => void {
  const command = words.map(quoted).join(' ');
  commands.add(command);
  tellGuard();
  return () => {
    if (commands.delete(command)) tellGuard();
  };
}

/** Has a child killed once this process has ended, however it ended. */
export function endWithThisProcess(child: ChildProcess): void {
  if (child.pid !== undefined) child.once('exit', lastResort('kill', '-9', child.pid));
}

function tellGuard(): void {
  guard ??= startGuard();
  const line = `${[...commands].reverse().join('; ')}\n`;
  if (commands.size > 0) guard.input.write(line);
  else {
    guard.input.end(line);
    guard = undefined;
  }
}

function startGuard(): Guard {
  // In a group of its own: Ctrl-C must not reach it.
  const child = spawn('/bin/sh', ['-c', GUARD], {
    cwd: '/',
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  const input = child.stdin as Socket;
  child.unref();
  input.unref();
  return { input };
}

function quoted(word: string | number): string {
  return `'${String(word).replaceAll("'", "'\\''")}'`;
}
