import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import {
  CertificateAuthority,
  TemporaryFolder,
  cacheFolder,
  endWithThisProcess,
  eventually,
  freePort,
} from '@ajs/testing';
import type { Rendered } from './helm.js';

/** Pins the sources of both programs. */
const MODULE = join(import.meta.dirname, '../api-server');
/** Of k8s.io/kubernetes in that module. */
const VERSION = '1.37.2';
const LOCAL = '127.0.0.1';
const TOKEN = 'administrator';
const START_MS = 60_000;

interface Programs {
  readonly etcd: string;
  readonly apiServer: string;
}

/** Builds both on the first run and keeps them in the user's cache: it needs Go, its module proxy, 4 GB of memory and some ten minutes. */
export function buildApiServer(): Programs {
  const folder = cacheFolder(`kube-apiserver-${VERSION}`);
  mkdirSync(folder, { recursive: true });
  const built = (name: string, pkg: string, flags: readonly string[] = []): string => {
    const binary = join(folder, name);
    if (!existsSync(binary)) {
      execFileSync('go', ['build', '-o', binary, ...flags, pkg], { cwd: MODULE, stdio: ['ignore', 2, 2] });
    }
    return binary;
  };
  const [major = '', minor = ''] = VERSION.split('.');
  const version = { gitVersion: `v${VERSION}`, gitMajor: major, gitMinor: minor };
  const values = Object.entries(version).map(
    ([name, value]) => `-X k8s.io/component-base/version.${name}=${value}`,
  );
  return {
    etcd: built('etcd', 'go.etcd.io/etcd/server/v3'),
    apiServer: built('kube-apiserver', 'k8s.io/kubernetes/cmd/kube-apiserver', [
      '-ldflags',
      values.join(' '),
    ]),
  };
}

/** What the API server said. */
export interface Said {
  readonly status: number;
  /** Texts of its header Warning. */
  readonly warnings: readonly string[];
  readonly body: unknown;
}

/** Kubernetes without nodes and controllers: it checks and stores objects, as an administrator gives them. */
export class ApiServer {
  private readonly children: ChildProcess[] = [];
  private readonly paths = new Map<string, string>();

  private constructor(
    private readonly folder: TemporaryFolder,
    private readonly authority: CertificateAuthority,
    private readonly port: number,
  ) {}

  static async start({ etcd, apiServer }: Programs): Promise<ApiServer> {
    const folder = new TemporaryFolder('api-server');
    const authority = await CertificateAuthority.create();
    const server = new ApiServer(folder, authority, await freePort());
    try {
      const [clients, peers] = [await freePort(), await freePort()].map((port) => `http://${LOCAL}:${port}`);
      server.run('etcd', etcd, {
        'data-dir': folder.file('etcd'),
        'listen-client-urls': clients,
        'advertise-client-urls': clients,
        'listen-peer-urls': peers,
        'unsafe-no-fsync': 'true',
      });
      const { certFile, keyFile } = await authority.sign([LOCAL]);
      const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 });
      const signingKey = server.write('signing.key', privateKey.export({ type: 'pkcs8', format: 'pem' }));
      server.run('kube-apiserver', apiServer, {
        'etcd-servers': clients,
        'bind-address': LOCAL,
        'secure-port': `${server.port}`,
        'tls-cert-file': certFile,
        'tls-private-key-file': keyFile,
        'token-auth-file': server.write('tokens.csv', `${TOKEN},administrator,1,system:masters\n`),
        'service-account-issuer': 'https://kubernetes.default.svc',
        'service-account-key-file': signingKey,
        'service-account-signing-key-file': signingKey,
        'service-cluster-ip-range': '10.0.0.0/24',
        'authorization-mode': 'RBAC',
        // Whether pods may be privileged is for pod security to say.
        'allow-privileged': 'true',
        'endpoint-reconciler-type': 'none',
      });
      await eventually('the API server is ready', () => server.isReady(), START_MS);
      return server;
    } catch (error) {
      await server.stop();
      throw error;
    }
  }

  /** Makes an object what is given here, as `kubectl apply --server-side` does; with `isDryRun` does all but store it. */
  async apply(object: object, { isDryRun = false } = {}): Promise<Said> {
    const { apiVersion, kind, metadata } = object as Rendered;
    const path = await this.pathOf(apiVersion, kind, metadata.namespace);
    const query = `fieldManager=test&fieldValidation=Strict${isDryRun ? '&dryRun=All' : ''}`;
    return this.ask('PATCH', `${path}/${metadata.name}?${query}`, object);
  }

  /** As {@link apply}, for an object that this server must accept. */
  async mustApply(object: object): Promise<void> {
    const said = await this.apply(object);
    if (said.status >= 300) throw new Error(`not applied: ${JSON.stringify(said)}`);
  }

  async ask(method: 'GET' | 'PATCH', path: string, body?: object): Promise<Said> {
    return new Promise((resolve, reject) => {
      const sent = request(
        {
          host: LOCAL,
          port: this.port,
          path,
          method,
          ca: this.authority.cert,
          headers: {
            authorization: `Bearer ${TOKEN}`,
            ...(body && { 'content-type': 'application/apply-patch+yaml' }),
          },
        },
        (response) => {
          let text = '';
          response.setEncoding('utf8').on('data', (part: string) => (text += part));
          response.on('end', () => {
            const isJson = response.headers['content-type'] === 'application/json';
            const warnings = [...(response.headers['warning'] ?? '').matchAll(/299 - "((?:[^"\\]|\\.)*)"/g)];
            resolve({
              status: response.statusCode ?? 0,
              warnings: warnings.map(([, warning = '']) => warning),
              body: isJson ? (JSON.parse(text) as unknown) : text,
            });
          });
        },
      );
      sent.on('error', reject).end(body && JSON.stringify(body));
    });
  }

  /** A file for Helm and kubectl. */
  get kubeconfig(): string {
    const cluster = {
      server: `https://${LOCAL}:${this.port}`,
      'certificate-authority': this.authority.certFile,
    };
    const config = {
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': 'test',
      clusters: [{ name: 'test', cluster }],
      users: [{ name: 'test', user: { token: TOKEN } }],
      contexts: [{ name: 'test', context: { cluster: 'test', user: 'test' } }],
    };
    return this.write('kubeconfig', JSON.stringify(config));
  }

  async stop(): Promise<void> {
    for (const child of this.children) child.kill('SIGKILL');
    await eventually('both have ended', () => this.children.every(hasEnded));
    this.folder.remove();
    this.authority.remove();
  }

  private run(name: string, binary: string, flags: Readonly<Record<string, string | undefined>>): void {
    const log = openSync(this.folder.file(`${name}.log`), 'w');
    const args = Object.entries(flags).map(([flag, value]) => `--${flag}=${value}`);
    const child = spawn(binary, args, { stdio: ['ignore', log, log] });
    endWithThisProcess(child);
    this.children.push(child);
  }

  private write(name: string, text: string | Buffer): string {
    const file = this.folder.file(name);
    writeFileSync(file, text, { mode: 0o600 });
    return file;
  }

  private async isReady(): Promise<boolean> {
    const ended = this.children.find(hasEnded);
    if (ended === undefined) return (await this.ask('GET', '/readyz')).status === 200;
    const log = ['etcd', 'kube-apiserver'].map((name) =>
      readFileSync(this.folder.file(`${name}.log`), 'utf8'),
    );
    throw new Error(`${ended.spawnfile} has ended:\n${log.map((text) => text.slice(-2_000)).join('\n')}`);
  }

  /** As discovery has it. */
  private async pathOf(apiVersion: string, kind: string, namespace?: string): Promise<string> {
    const name = JSON.stringify([apiVersion, kind]);
    if (!this.paths.has(name)) {
      const group = `${apiVersion.includes('/') ? '/apis' : '/api'}/${apiVersion}`;
      const { body } = await this.ask('GET', group);
      const { resources = [] } = body as {
        resources?: { kind: string; name: string; namespaced: boolean }[];
      };
      for (const resource of resources.filter((one) => !one.name.includes('/'))) {
        const path = resource.namespaced
          ? `${group}/namespaces/NAMESPACE/${resource.name}`
          : `${group}/${resource.name}`;
        this.paths.set(JSON.stringify([apiVersion, resource.kind]), path);
      }
    }
    const path = this.paths.get(name);
    if (path === undefined) throw new Error(`the API server has no ${kind} of ${apiVersion}`);
    return path.replace('NAMESPACE', namespace ?? '');
  }
}

const hasEnded = ({ exitCode, signalCode }: ChildProcess): boolean =>
  exitCode !== null || signalCode !== null;
