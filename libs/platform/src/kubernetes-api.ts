import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { boundedFetch, type BoundedRequest } from './bounded-fetch.js';

/** Where Kubernetes mounts a pod's token and the cluster's CA. */
export const SERVICE_ACCOUNT_FOLDER = '/var/run/secrets/kubernetes.io/serviceaccount';

const LONGEST_MESSAGE = 300;

export interface KubernetesServer {
  /** May have a path, as behind a proxy of several clusters. */
  readonly url: URL;
  /** The token that we show. */
  readonly tokenFile: string;
  /** The roots of the server's certificate; not read where the URL is `http:`. */
  readonly caFile: string;
}

/** The API of a Kubernetes cluster, called as a service account. Its files are read each time: Kubernetes replaces them. */
export class KubernetesApi {
  constructor(private readonly server: KubernetesServer) {}

  /** The cluster that this process runs in; `undefined` outside of one. */
  static inCluster(
    env: Readonly<Record<string, string | undefined>>,
    folder = SERVICE_ACCOUNT_FOLDER,
  ): KubernetesApi | undefined {
    const host = env['KUBERNETES_SERVICE_HOST'];
    const port = env['KUBERNETES_SERVICE_PORT'];
    if (!host || !port) return undefined;
    const url = `https://${host.includes(':') ? `[${host}]` : host}:${port}`;
    if (!URL.canParse(url)) return undefined;
    return new KubernetesApi({
      url: new URL(url),
      tokenFile: join(folder, 'token'),
      caFile: join(folder, 'ca.crt'),
    });
  }

  /**
   * Creates what is not stored: a token, a review. Resolves to the answer's JSON, or to `undefined` where it is none. Rejects with
   * {@link KubernetesApiError} where the API answers with another status than success.
   */
  async create(
    path: string,
    body: object,
    bounds: Pick<BoundedRequest, 'signal' | 'timeOutMs'> = {},
  ): Promise<unknown> {
    const { url, tokenFile } = this.server;
    const [token, ca] = await Promise.all([
      readFile(tokenFile, 'utf8'),
      url.protocol === 'https:' ? this.clusterCa() : undefined,
    ]);
    const target = new URL(url);
    target.pathname = url.pathname.replace(/\/$/, '') + path;
    const response = await boundedFetch(target, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${token.trim()}`,
        'content-type': 'application/json',
        accept: 'application/json',
      },
      body: JSON.stringify(body),
      ca,
      ...bounds,
    });
    const json = parse(response.body);
    if (response.status === 200 || response.status === 201) return json;
    throw new KubernetesApiError(path, response.status, (json as { message?: unknown } | undefined)?.message);
  }

  async clusterCa(): Promise<Buffer> {
    return readFile(this.server.caFile);
  }
}

/** The API answered with an error. Its message has what the API said, which may repeat what it was sent. */
export class KubernetesApiError extends Error {
  constructor(
    path: string,
    readonly status: number,
    message: unknown,
  ) {
    const reason =
      typeof message === 'string' ? `: ${message.replace(/\s+/g, ' ').slice(0, LONGEST_MESSAGE)}` : '';
    super(`the Kubernetes API answered ${status} to POST ${path}${reason}`);
    this.name = 'KubernetesApiError';
  }
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body) as unknown;
  } catch {
    return undefined;
  }
}
