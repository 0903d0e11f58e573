import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lastResort } from './last-resort.js';

/** A folder for what a test needs for a while. It is gone once this process has ended, at the latest. */
export class TemporaryFolder {
  readonly path: string;
  private readonly removed: () => void;

  /** @param name says whose it is */
  constructor(name: string) {
    this.path = mkdtempSync(join(tmpdir(), `armada-job-service-${name}-`));
    this.removed = lastResort('rm', '-rf', this.path);
  }

  /** The path of a file in it. */
  file(name: string): string {
    return join(this.path, name);
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
    this.removed();
  }
}
