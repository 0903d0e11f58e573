import { readFileSync } from 'node:fs';

/** An application has some 280 files open while it loads its modules, and fewer connections than that while nobody calls it. */
const NEEDED_FILES = 512;

/** Why this process cannot run with its limit of open files; `undefined` where it can. */
export function fileLimitProblem(limits = readLimits()): string | undefined {
  const limit = fileLimit(limits);
  return limit >= NEEDED_FILES
    ? undefined
    : `the limit of open files (nofile) is ${limit}, and this process needs at least ${NEEDED_FILES}; raise it (ulimit -n, LimitNOFILE)`;
}

/** Why this process may not be able to have so many connections; `undefined` where it can. */
export function connectionLimitProblem(
  connections: number,
  setting: string,
  limits = readLimits(),
): string | undefined {
  const limit = fileLimit(limits);
  return limit >= connections
    ? undefined
    : `the limit of open files (nofile) is ${limit}, and ${setting} allows ${connections} connections; raise the limit, or lower ${setting}`;
}

function fileLimit(limits: string): number {
  return Number(/^Max open files +(\d+) /m.exec(limits)?.[1] ?? Infinity);
}

/** Empty where the system does not report it. Node has raised the soft limit to the hard one by now. */
function readLimits(): string {
  try {
    return readFileSync('/proc/self/limits', 'utf8');
  } catch {
    return '';
  }
}
