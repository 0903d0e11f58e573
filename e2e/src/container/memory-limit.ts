import { existsSync, mkdirSync, readdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { lastResort } from '@ajs/testing';

const MIB = 2 ** 20;
/** Where control groups with memory are made, and the file of their limit: version 1, and version 2. */
const HIERARCHIES = [
  { parent: '/sys/fs/cgroup/memory', limit: 'memory.limit_in_bytes' },
  { parent: '/sys/fs/cgroup', limit: 'memory.max' },
];

/** A group can be removed once its processes have ended, some moments after they were killed. */
const REMOVE = 'for try in 1 2 3 4 5 6 7 8 9; do rmdir "$0" && break; sleep 1; done';

const PREFIX = 'armada-job-service-';

/** The control groups that a process has made and not removed. */
export function groupsOf(pid: number): string[] {
  return HIERARCHIES.flatMap(({ parent }) => {
    const names = existsSync(parent) ? readdirSync(parent) : [];
    return names.filter((name) => name.startsWith(`${PREFIX}${pid}-`)).map((name) => join(parent, name));
  });
}

let made = 0;

/** Limits the memory of a process as that of a container is limited. */
export class MemoryLimit {
  private readonly group: string | undefined;
  private removed: (() => void) | undefined;

  constructor(private readonly bytes: number) {
    const hierarchy = HIERARCHIES.find(({ parent }) => existsSync(parent));
    if (hierarchy === undefined) return;
    const group = join(hierarchy.parent, `${PREFIX}${process.pid}-${made++}`);
    try {
      mkdirSync(group);
      this.removed = lastResort('/bin/sh', '-c', REMOVE, group);
      writeFileSync(join(group, hierarchy.limit), `${bytes}`);
      this.group = group;
    } catch {
      // Only root may, and not where the file system is read-only.
      if (existsSync(group)) rmdirSync(group);
      this.removed?.();
    }
  }

  /** Whether the kernel holds the process to it. Where it does not, Node still has the heap that it would have in such a container. */
  get isEnforced(): boolean {
    return this.group !== undefined;
  }

  /** The command that runs Node with these arguments under the limit. */
  commandOf(node: string, args: readonly string[]): readonly string[] {
    if (this.group === undefined) return [node, `--max-old-space-size=${this.bytes / 2 / MIB}`, ...args];
    const enter = 'echo $$ > "$0" && exec "$@"';
    return ['/bin/sh', '-c', enter, join(this.group, 'cgroup.procs'), node, ...args];
  }

  /** After the process has ended. */
  remove(): void {
    if (this.group !== undefined) rmdirSync(this.group);
    this.removed?.();
  }
}
