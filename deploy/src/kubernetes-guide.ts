import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** docs/kubernetes.md, whose files are in a folder of their own until {@link remove}. */
export class KubernetesGuide {
  readonly text = readFileSync(join(import.meta.dirname, '../../docs/kubernetes.md'), 'utf8');
  /** By name: every YAML block whose first line names its file. */
  readonly files: ReadonlyMap<string, string>;
  private readonly folder = mkdtempSync(join(tmpdir(), 'guide-'));

  constructor() {
    const blocks = this.text.matchAll(/```yaml\n# (\S+)\n([\s\S]*?)```/g);
    this.files = new Map(Array.from(blocks, ([, name = '', text = '']) => [name, text]));
    for (const [name, text] of this.files) writeFileSync(join(this.folder, name), text);
  }

  /** The commands that begin with this word, each as its words. */
  commands(program: string): string[][] {
    const lines = this.text.replaceAll(/\\\n\s+/g, '').split('\n');
    const written = lines.filter((line) => line.startsWith(`    ${program} `));
    return written.map((line) => line.trim().split(/\s+/));
  }

  /** The commands that install a chart or upgrade its release. */
  installs(): string[][] {
    return this.commands('helm').filter(([, verb]) => verb !== 'test');
  }

  /** The words of a command, with the paths of files that are named. */
  withFiles(command: readonly string[]): string[] {
    return command.map((word) => (this.files.has(word) ? join(this.folder, word) : word));
  }

  remove(): void {
    rmSync(this.folder, { recursive: true });
  }
}
