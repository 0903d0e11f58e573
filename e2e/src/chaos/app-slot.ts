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
  /** We ended it. */
  wasEnded: boolean;
}

/** The place of one replica: a process in it, and after its end another one. */
export class AppSlot {
  private readonly all: Incarnation[] = [];
  private current: Incarnation | undefined;
  private client: Client | undefined;

  constructor(
    readonly name: string,
    /** Its own way to Redis; `undefined` where Redis is of several servers, which it finds by itself. */
    readonly redis: TcpGate | undefined,
    private readonly script: string,
    private readonly env: Readonly<Record<string, string>>,
  ) {}

  /** Where it is polled; `undefined` while there is no query. */
  get target(): Target | undefined {
    return this.client && { name: this.current?.name ?? this.name, client: this.client };
  }

  /** Resolves when it has started; for as long as Redis and Armada let it wait, it is not. */
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

  /** Tells it to stop, and waits until it has. */
  async stop(withinMs: number): Promise<void> {
    const ended = this.letGo();
    ended?.process.signal('SIGTERM');
    await ended?.process.ended(withinMs);
  }

  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.current?.process.signal(signal);
  }

  /** Looks how much memory it takes now. */
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
      ...(!wasEnded && process.exit !== undefined && { unexpectedExit: `${process.exit} ${process.output}` }),
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
