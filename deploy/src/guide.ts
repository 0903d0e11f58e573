import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { TemporaryFolder } from '@ajs/testing';
import { newestHelm, type Chart, type Rendered } from './helm.js';
import { ROOT } from './root.js';

/** A page of docs/ that says what to type. The files in it are in a folder of their own until {@link remove}. */
export class Guide {
  readonly text: string;
  /** By name: every YAML block whose first line names its file. */
  readonly files: ReadonlyMap<string, string>;
  private readonly folder = new TemporaryFolder('guide');

  /** @param page such as `kubernetes.md` */
  constructor(page: string) {
    this.text = readFileSync(join(ROOT, 'docs', page), 'utf8');
    const blocks = this.text.matchAll(/```yaml\n# (\S+)\n([\s\S]*?)```/g);
    this.files = new Map(Array.from(blocks, ([, name = '', text = '']) => [name, text]));
    for (const [name, text] of this.files) writeFileSync(this.folder.file(name), text);
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
    return command.map((word) => (this.files.has(word) ? this.folder.file(word) : word));
  }

  /** What such a command makes. */
  made(command: readonly string[]): Rendered[] {
    const [release, chart, ...args] = this.withFiles(command).filter(
      (word) => !['helm', 'install', 'upgrade', '--install'].includes(word),
    );
    return newestHelm().template(chart?.split('/').at(-1) as Chart, release ?? '', args);
  }

  remove(): void {
    this.folder.remove();
  }
}
