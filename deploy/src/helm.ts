import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { goProgram } from '@ajs/testing';
import { ROOT } from './root.js';

export type Chart = 'ingester' | 'query';

/** An object as it is given to Kubernetes. */
export interface Rendered {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Record<string, string>;
  };
  readonly [field: string]: unknown;
}

const CHARTS = join(ROOT, 'deploy/helm');
export const NAMESPACE = 'jobs';
/** The cluster that Helm renders for: a version of Helm knows none, or only one of its own time. */
const KUBERNETES = '1.34.0';

/** Helm of one version: it needs Go. */
export class Helm {
  private readonly binary: string;

  constructor(module: string, version: string) {
    this.binary = goProgram({ name: 'helm', path: `${module}/cmd/helm`, version });
  }

  /** The findings of `helm lint --strict`; '' where there is none worth a warning. */
  lint(chart: Chart, values: string): string {
    const args = ['lint', '--strict', join(CHARTS, chart), '-f', values, '--kube-version', KUBERNETES];
    const { status, stdout, stderr } = this.run(args);
    return status === 0 ? '' : stdout + stderr;
  }

  /** The objects that a release of this name has with these values. Throws with Helm's words where it refuses them. */
  template(chart: Chart, release: string, args: readonly string[]): Rendered[] {
    const { status, stdout, stderr } = this.run([
      'template',
      release,
      join(CHARTS, chart),
      '--namespace',
      NAMESPACE,
      '--kube-version',
      KUBERNETES,
      ...args,
    ]);
    if (status !== 0) throw new Error(stderr);
    // As Kubernetes reads it: yes and no are no texts.
    return parseAllDocuments(stdout, { version: '1.1' })
      .map((document) => document.toJS() as Rendered | null)
      .filter((object) => object !== null);
  }

  /** Installs a release into a cluster, or upgrades it. Throws with Helm's words where that fails. */
  upgrade(kubeconfig: string, chart: Chart, release: string, args: readonly string[]): void {
    const command = ['upgrade', '--install', release, join(CHARTS, chart), '--namespace', NAMESPACE, ...args];
    this.must(command, kubeconfig);
  }

  uninstall(kubeconfig: string, release: string): void {
    this.must(['uninstall', release, '--namespace', NAMESPACE], kubeconfig);
  }

  /** Runs a command that begins with `helm`, from the root of the workspace. */
  runAsTyped(kubeconfig: string, [, ...args]: readonly string[]): void {
    this.must(args, kubeconfig);
  }

  private must(args: readonly string[], kubeconfig: string): void {
    const { status, stdout, stderr } = this.run(args, { KUBECONFIG: kubeconfig });
    if (status !== 0) throw new Error(`helm ${args.join(' ')}: ${stdout}${stderr}`);
  }

  private run(
    args: readonly string[],
    env: NodeJS.ProcessEnv = {},
  ): ReturnType<typeof spawnSync> & { stdout: string; stderr: string } {
    return spawnSync(this.binary, args, { cwd: ROOT, encoding: 'utf8', env: { ...process.env, ...env } });
  }
}

let newest: Helm | undefined;

/** The Helm that renders for the tests. */
export function newestHelm(): Helm {
  return (newest ??= new Helm('helm.sh/helm/v4', 'v4.3.2'));
}

/** The release before, which is still in use. */
export function olderHelm(): Helm {
  return new Helm('helm.sh/helm/v3', 'v3.22.0');
}
