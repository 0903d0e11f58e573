import { existsSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const MIB = 2 ** 20;
/** Where control groups with memory are made, and the file of their limit: version 1, and version 2. */
const HIERARCHIES = [
  { parent: '/sys/fs/cgroup/memory', limit: 'memory.limit_in_bytes' },
  { parent: '/sys/fs/cgroup', limit: 'memory.max' },
];

let made = 0;

/** Limits the memory of a process as that of a container is limited. */
export class MemoryLimit {
  private readonly group: string | undefined;

  constructor(private readonly bytes: number) {
    const hierarchy = HIERARCHIES.find(({ parent }) => existsSync(parent));
    if (hierarchy === undefined) return;
    const group = join(hierarchy.parent, `armada-job-service-${process.pid}-${made++}`);
    try {
      mkdirSync(group);
      writeFileSync(join(group, hierarchy.limit), `${bytes}`);
      this.group = group;
    } catch {
      // Only root may, and not where the file system is read-only.
      if (existsSync(group)) rmdirSync(group);
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
  }
}
