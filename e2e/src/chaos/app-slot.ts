import { Client, credentials } from '@grpc/grpc-js';
import { AppProcess } from '../app-process.js';
import { processFigures } from '../process-figures.js';
import type { ProcessHistory } from './history.js';
import type { Target } from './pollers.js';
import type { TcpGate } from './tcp-gate.js';

interface Incarnation {
  readonly name: string;
  readonly process: AppProcess;
  largestRssBytes: number;
  /** The run stopped or killed it. */
  wasEnded: boolean;
}

/** One replica: a process, and the next one after it has ended. */
export class AppSlot {
  private readonly all: Incarnation[] = [];
  private current: Incarnation | undefined;
  private client: Client | undefined;

  constructor(
    readonly name: string,
    /** The only way to Redis for this replica; `undefined` behind Sentinel and on a Cluster, whose servers it discovers. */
    readonly redis: TcpGate | undefined,
    private readonly script: string,
    private readonly env: Readonly<Record<string, string>>,
  ) {}

  /** How to poll it; `undefined` while no process runs, and for an ingester. */
  get target(): Target | undefined {
    return this.client && { name: this.current?.name ?? this.name, client: this.client };
  }

  /** Resolves once the process has started, which Redis and Armada may delay. */
  async start(withinMs: number): Promise<void> {
    const name = `${this.name}.${this.all.length + 1}`;
    const process = new AppProcess(this.script, this.env);
    const incarnation = { name, process, largestRssBytes: 0, wasEnded: false };
    this.all.push(incarnation);
    this.current = incarnation;
    const { grpcPort } = await process.logged('started', () => true, withinMs);
    if (typeof grpcPort === 'number') {
      this.client = new Client(`127.0.0.1:${grpcPort}`, credentials.createInsecure());
    }
  }

  async kill(): Promise<void> {
    const ended = this.letGo();
    await ended?.process.kill();
  }

  /** Sends SIGTERM and waits for the exit. */
  async stop(withinMs: number): Promise<void> {
    const ended = this.letGo();
    ended?.process.signal('SIGTERM');
    await ended?.process.ended(withinMs);
  }

  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.current?.process.signal(signal);
  }

  /** Records the memory it uses now. */
  sample(): void {
    const { current } = this;
    if (current === undefined) return;
    const { rssBytes = 0 } = processFigures(current.process.pid) ?? {};
    current.largestRssBytes = Math.max(current.largestRssBytes, rssBytes);
  }

  history(): ProcessHistory[] {
    return this.all.map(({ name, process, largestRssBytes, wasEnded }) => ({
      name,
      lines: process.logs,
      largestRssBytes,
      ...(!wasEnded &&
        process.exit !== undefined && { unexpectedExit: `${process.exit} ${process.lastLines}` }),
    }));
  }

  private letGo(): Incarnation | undefined {
    const { current } = this;
    if (current !== undefined) current.wasEnded = true;
    this.current = undefined;
    this.client?.close();
    this.client = undefined;
    return current;
  }
}
