import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import type { Meta, MetaChange } from './history.js';

const AGAIN_MS = 50;
const TEXT = /"((?:[^"\\]|\\.)*)"/g;
const LINE = /^\+(\d+\.\d+) \[\d+ ([^\]]+)\] (.*)$/;
const FIELDS = ['generation', 'cursor', 'revision'] as const;
const META_END = ':meta';

/** A command, or a script with all its effects: one change. */
interface Running {
  readonly at: number;
  readonly by: string;
  readonly via: MetaChange['via'];
  /** A script's arguments after its key. */
  readonly given: readonly string[];
  jobSet: string | undefined;
  /** `undefined`: the whole meta was deleted. */
  written: Map<string, string> | undefined;
}

/**
 * Every write to the meta of a job set, in Redis' own order, by MONITOR: it shows a script's call first, then each of its commands, a
 * line each. After a connection to Redis was lost, metas are unknown until they are written again.
 */
export class RedisWatch {
  readonly changes: MetaChange[] = [];
  private readonly metas = new Map<string, Meta>();
  private running: Running | undefined;
  private socket: Socket | undefined;
  private stopped = false;

  /** @param nameOf whose connection to Redis has this port on its other side */
  constructor(
    private readonly port: number,
    private readonly nameOf: (port: number) => string | undefined,
  ) {}

  /** Resolves once MONITOR runs; reconnects by itself. */
  async start(): Promise<void> {
    await new Promise<void>((resolve) => this.attach(resolve));
  }

  stop(): void {
    this.finish();
    this.stopped = true;
    this.socket?.destroy();
  }

  private attach(attached: () => void): void {
    if (this.stopped) return;
    this.metas.clear();
    this.running = undefined;
    const socket = connect({ port: this.port, host: '127.0.0.1' });
    this.socket = socket;
    socket.on('error', () => socket.destroy());
    socket.once('close', () => setTimeout(() => this.attach(() => undefined), AGAIN_MS).unref());
    socket.once('connect', () => socket.write('MONITOR\r\n'));
    const lines = createInterface({ input: socket });
    // It repeats the socket's errors.
    lines.on('error', () => undefined);
    lines.on('line', (line) => {
      if (line === '+OK') attached();
      else this.received(line);
    });
  }

  private received(line: string): void {
    // Nearly all lines concern other keys. A script ends with the next command, whenever that comes.
    if (!line.includes(META_END)) return;
    const [, seconds, from = '', rest = ''] = LINE.exec(line) ?? [];
    const [command = '', ...args] = Array.from(rest.matchAll(TEXT), ([, text = '']) => text);
    if (from === 'lua') {
      this.effect(command, args);
      return;
    }
    this.finish();
    const by = this.nameOf(Number(from.slice(from.lastIndexOf(':') + 1))) ?? from;
    const isScript = /^EVAL(SHA)?$/i.test(command);
    const given = isScript ? args.slice(3, 3 + FIELDS.length) : [];
    const via = isScript ? 'script' : 'command';
    this.running = { at: Number(seconds) * 1_000, by, via, given, jobSet: undefined, written: new Map() };
    if (!isScript) this.effect(command, args);
  }

  private effect(command: string, [jobSet = '', ...values]: readonly string[]): void {
    const { running } = this;
    if (running === undefined || !jobSet.endsWith(META_END)) return;
    if (/^(DEL|UNLINK)$/i.test(command)) {
      running.jobSet = jobSet;
      running.written = undefined;
    } else if (/^HSET$/i.test(command)) {
      running.jobSet = jobSet;
      running.written ??= new Map();
      for (let i = 0; i + 1 < values.length; i += 2)
        running.written.set(values[i] ?? '', values[i + 1] ?? '');
    }
  }

  /** The command or script has ended. */
  private finish(): void {
    const { running } = this;
    this.running = undefined;
    if (running?.jobSet === undefined) return;
    const { at, by, via, given, jobSet, written } = running;
    const before = this.metas.get(jobSet);
    const change = { at, jobSet, by, via, ...(before !== undefined && { before }) };
    if (written === undefined) {
      this.metas.delete(jobSet);
      this.changes.push(change);
      return;
    }
    if (!FIELDS.some((field) => written.has(field))) return;
    const after = this.after(before, written);
    if (after === undefined) return;
    this.metas.set(jobSet, after);
    // A batch or a heartbeat: only an owner writes these.
    const isByOwner = via === 'script' && written.has('cursor') && !written.has('generation');
    this.changes.push({ ...change, after, ...(isByOwner && { expected: metaOf(given) }) });
  }

  /** `undefined` until every field has been seen. */
  private after(before: Meta | undefined, written: ReadonlyMap<string, string>): Meta | undefined {
    const [generation, cursor, revision] = FIELDS.map((field) => written.get(field) ?? before?.[field]);
    if (generation === undefined || cursor === undefined || revision === undefined) return undefined;
    return { generation, cursor, revision };
  }
}

function metaOf([generation = '', cursor = '', revision = '']: readonly string[]): Meta {
  return { generation, cursor, revision };
}
