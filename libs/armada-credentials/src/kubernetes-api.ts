import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { exchange } from './http-exchange.js';

/** Where Kubernetes mounts a pod's token and the cluster's CA. */
export const SERVICE_ACCOUNT_FOLDER = '/var/run/secrets/kubernetes.io/serviceaccount';

const LONGEST_MESSAGE = 300;

/** The API of the cluster that this process runs in, asked as the pod's service account. */
export class KubernetesApi {
  constructor(
    private readonly server: URL,
    private readonly folder: string,
  ) {}

  /** `undefined` outside of a cluster. */
  static inCluster(
    env: Readonly<Record<string, string | undefined>>,
    folder = SERVICE_ACCOUNT_FOLDER,
  ): KubernetesApi | undefined {
    const host = env['KUBERNETES_SERVICE_HOST'];
    const port = env['KUBERNETES_SERVICE_PORT'];
    if (!host || !port) return undefined;
    const url = `https://${host.includes(':') ? `[${host}]` : host}:${port}`;
    return URL.canParse(url) ? new KubernetesApi(new URL(url), folder) : undefined;
  }

  /** Creates what is not stored: a token, a review. Gives the answer's JSON. Rejects with what the API said. */
  async create(path: string, body: object, signal: AbortSignal): Promise<unknown> {
    // Both are replaced while the pod runs.
    const [token, ca] = await Promise.all([this.podToken(), this.clusterCa()]);
    const answer = await exchange(new URL(path, this.server), {
      method: 'POST',
      headers: {
        authorization: `Bearer ${token}`,
        'content-type': 'application/json',
        accept: 'application/json',
      },
      body: JSON.stringify(body),
      ca,
      signal,
    });
    const json = parse(answer.body);
    if (answer.status === 200 || answer.status === 201) return json;
    const message = (json as { message?: unknown } | undefined)?.message;
    const said =
      typeof message === 'string' ? `: ${message.replace(/\s+/g, ' ').slice(0, LONGEST_MESSAGE)}` : '';
    throw new Error(`the Kubernetes API answered ${answer.status} to POST ${path}${said}`);
  }

  async podToken(): Promise<string> {
    return (await readFile(join(this.folder, 'token'), 'utf8')).trim();
  }

  async clusterCa(): Promise<Buffer> {
    return readFile(join(this.folder, 'ca.crt'));
  }
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body) as unknown;
  } catch {
    return undefined;
  }
}
