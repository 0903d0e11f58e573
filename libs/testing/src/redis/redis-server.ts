import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { cp, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort } from '../free-port.js';
import { endWithThisProcess } from '../last-resort.js';
import { TemporaryFolder } from '../temporary-folder.js';
import { redisBinary, type RedisFlavour } from './redis-binary.js';

const ATTEMPTS = 5;
/** Longer than any machine takes: a server that cannot start ends by itself. */
const START_MS = 60_000;

/**
 * Arguments of a server that loses no acknowledged write when it is killed: it writes its file before it answers. Syncing the file to the
 * disk would only guard against a crash of the machine, and holds up every write where the disk is busy.
 */
export const SURVIVES_KILL: readonly string[] = ['--appendonly', 'yes', '--appendfsync', 'no'];

export interface RedisServerOptions {
  readonly flavour?: RedisFlavour | undefined;
  /** Certificate, key and authority (files): the server also listens for TLS, at a port of its own. */
  readonly tls?: ServerTls | undefined;
}

/** The files of a server that does TLS; clients must have a certificate of the authority where they are asked for one. */
export interface ServerTls {
  readonly certFile: string;
  readonly keyFile: string;
  readonly caFile: string;
  readonly clientCertificates?: boolean;
}

/** A private Redis (or Valkey) server on a free port of this machine, in a folder of its own. */
export class RedisServer {
  private constructor(
    readonly port: number,
    private readonly folder: TemporaryFolder,
    private readonly args: readonly string[],
    private child: ChildProcess,
    /** Where the server listens for TLS, beside {@link port}; 0 where it does not. */
    readonly tlsPort: number,
    private readonly flavour: RedisFlavour | undefined,
  ) {}

  /** A Redis Sentinel that monitors no master yet. */
  static async startSentinel(): Promise<RedisServer> {
    return RedisServer.start(['--sentinel']);
  }

  static async start(
    args: readonly string[] = [],
    { flavour, tls }: RedisServerOptions = {},
  ): Promise<RedisServer> {
    const folder = new TemporaryFolder('redis');
    await mkdir(dataOf(folder));
    for (let attempt = 1; ; attempt++) {
      const port = await freePort();
      const tlsPort = tls === undefined ? 0 : await freePort();
      const all = tls === undefined ? args : [...args, ...tlsArgs(tls, tlsPort)];
      try {
        const child = await launch(port, dataOf(folder), all, flavour);
        return new RedisServer(port, folder, all, child, tlsPort, flavour);
      } catch (error) {
        // Another process may have taken a port meanwhile, of the cluster's bus too.
        if (attempt < ATTEMPTS) continue;
        folder.remove();
        throw error;
      }
    }
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  /** Kills the server: what is not on disk is lost. */
  async kill(): Promise<void> {
    await end(this.child, 'SIGKILL');
  }

  /** Starts it again on the same port, with what it has on disk. */
  async restart(): Promise<void> {
    await end(this.child, 'SIGKILL');
    this.child = await launch(this.port, this.data, this.args, this.flavour);
  }

  /** Copies what is on disk, replacing an older copy. */
  async backUp(): Promise<void> {
    await rm(this.backup, { recursive: true, force: true });
    await cp(this.data, this.backup, { recursive: true });
  }

  /** Starts it again on the same port with the copy, or empty where there is none. */
  async restore(): Promise<void> {
    await end(this.child, 'SIGKILL');
    await rm(this.data, { recursive: true, force: true });
    await mkdir(this.data);
    if (existsSync(this.backup)) await cp(this.backup, this.data, { recursive: true });
    this.child = await launch(this.port, this.data, this.args, this.flavour);
  }

  /** Stops the server and removes its files. */
  async stop(): Promise<void> {
    await end(this.child, 'SIGKILL');
    this.folder.remove();
  }

  private get data(): string {
    return dataOf(this.folder);
  }

  private get backup(): string {
    return this.folder.file('backup');
  }
}

const dataOf = (folder: TemporaryFolder): string => folder.file('data');

function tlsArgs(
  { certFile, keyFile, caFile, clientCertificates = false }: ServerTls,
  port: number,
): string[] {
  return [
    ...['--tls-port', `${port}`, '--tls-cert-file', certFile, '--tls-key-file', keyFile],
    ...['--tls-ca-cert-file', caFile, '--tls-auth-clients', clientCertificates ? 'yes' : 'no'],
  ];
}

async function launch(
  port: number,
  folder: string,
  args: readonly string[],
  flavour: RedisFlavour | undefined,
): Promise<ChildProcess> {
  const [options, ready] = args.includes('--sentinel')
    ? [[...(await sentinelOptions(port, folder)), ...args], /Sentinel ID is/i]
    : [
        ['--port', `${port}`, '--bind', '127.0.0.1', '--dir', folder, '--save', '', ...args],
        /Ready to accept connections/i,
      ];
  // A process group of its own: Ctrl-C must reach the users of the server only, which stop it when they are done.
  const child = spawn(await redisBinary(flavour), options, {
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  endWithThisProcess(child);
  let output = '';
  let late: NodeJS.Timeout | undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      const failed = (why: string): void =>
        reject(new Error(`the Redis server ${why}: ${output.slice(-2_000)}`));
      const heard = (chunk: Buffer): void => {
        output += chunk.toString();
        if (ready.test(output)) resolve();
      };
      child.stdout.on('data', heard);
      child.stderr.on('data', heard);
      child.once('error', reject);
      child.on('exit', (code) => failed(`ended with ${code}`));
      late = setTimeout(() => failed(`did not start within ${START_MS} ms`), START_MS);
    });
    return child;
  } catch (error) {
    child.kill('SIGKILL');
    throw error;
  } finally {
    clearTimeout(late);
    // A full pipe would block the server.
    child.stdout.removeAllListeners('data').resume();
    child.stderr.removeAllListeners('data').resume();
  }
}

/** A sentinel stores its state in its configuration file, which must be the first argument. */
async function sentinelOptions(port: number, folder: string): Promise<string[]> {
  const file = join(folder, 'sentinel.conf');
  if (!existsSync(file)) await writeFile(file, `port ${port}\nbind 127.0.0.1\ndir ${folder}\n`);
  return [file];
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill(signal);
  await exited;
}
