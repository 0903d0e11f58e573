import { TemporaryFolder } from '@ajs/testing';
import { AppProcess } from '../app-process.js';
import type { App } from '../patched-build.js';
import { copyImage, entrypointOf, nodeOfTheImages } from './image.js';
import { MemoryLimit } from './memory-limit.js';

/** The part of its memory that an application may have resident: the rest is for bursts and the page cache. */
export const RESIDENT_PART = 350 / 512;

/** An application as its image runs it: its files alone, on the Node of the images with their flags, and with so much memory. */
export class Container {
  readonly app: AppProcess;
  private readonly folder = new TemporaryFolder('container');
  private readonly limit: MemoryLimit;

  constructor(name: App, env: Readonly<Record<string, string>>, memoryBytes: number) {
    this.limit = new MemoryLimit(memoryBytes);
    const [, ...args] = entrypointOf(name);
    const [program, first = '', ...rest] = this.limit.commandOf(nodeOfTheImages(), args);
    this.app = new AppProcess(first, env, rest, copyImage(name, this.folder.path), program);
  }

  /** Whether the kernel would end it where it took more memory. */
  get isLimited(): boolean {
    return this.limit.isEnforced;
  }

  /** SIGKILL. */
  async kill(): Promise<void> {
    await this.app.kill();
    this.limit.remove();
    this.folder.remove();
  }
}
