import { LRUCache } from 'lru-cache';
import { Agent, ProxyAgent, errors, request, type Dispatcher } from 'undici';
import { proxyFor, throughProxy, type Proxy } from './proxy.js';

/** For the whole exchange, from the DNS lookup to the last byte. Milliseconds. */
const TIME_OUT_MS = 10_000;
/** Tokens, keys, reviews and discovery documents have a few KiB. */
const MAX_RESPONSE_BYTES = 256 * 1024;

export interface BoundedRequest {
  readonly method: 'GET' | 'POST';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** The roots to trust, PEM; Node's own where it is left out. */
  readonly ca?: Buffer | undefined;
  readonly signal?: AbortSignal;
  readonly timeOutMs?: number;
}

export interface BoundedResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/**
 * One pool of connections for each set of roots and each proxy: a CA that was replaced gets a new pool, and the old one closes when it is
 * evicted.
 */
const agents = new LRUCache<string, Dispatcher>({ max: 8, dispose: (agent) => void agent.close() });

/**
 * One HTTP request and its response, bounded in time and in size. Follows no redirect; goes through the proxy that the
 * environment names ({@link proxyFor}). Rejects with an error whose message names the URL without login and query, and the proxy.
 */
export async function boundedFetch(
  url: URL,
  { method, headers = {}, body, ca, signal, timeOutMs = TIME_OUT_MS }: BoundedRequest,
): Promise<BoundedResponse> {
  const timeOut = AbortSignal.timeout(timeOutMs);
  const aborted = signal === undefined ? timeOut : AbortSignal.any([signal, timeOut]);
  const proxy = proxyFor(url.hostname, url.protocol === 'http:' ? 'http' : 'https', process.env);
  const where = `${url.origin}${url.pathname}${proxy === undefined ? '' : ` (${throughProxy(proxy)})`}`;
  const exchange = async (): Promise<BoundedResponse> => {
    const response = await request(url, {
      method,
      headers,
      body: body ?? null,
      signal: aborted,
      dispatcher: agentFor(ca, proxy),
    });
    return {
      status: response.statusCode,
      headers: Object.fromEntries(
        Object.entries(response.headers).map(([name, value]) => [name, String(value)]),
      ),
      body: await response.body.text(),
    };
  };
  try {
    aborted.throwIfAborted();
    // While it connects, undici does not heed the signal.
    return await Promise.race([exchange(), rejectedBy(aborted)]);
  } catch (error) {
    if (timeOut.aborted) throw new Error(`${where} did not answer within ${timeOutMs / 1_000} s`);
    if (error instanceof errors.ResponseExceededMaxSizeError) {
      throw new Error(`${where} answered with more than ${MAX_RESPONSE_BYTES} bytes`);
    }
    const { message, code } = error as NodeJS.ErrnoException;
    throw new Error(`${where}: ${message || code}`, { cause: error });
  }
}

function agentFor(ca: Buffer | undefined, proxy: Proxy | undefined): Dispatcher {
  const key = `${proxy?.url.href ?? ''} ${ca?.toString() ?? ''}`;
  let agent = agents.get(key);
  if (agent === undefined) {
    const tls = ca === undefined ? {} : { ca };
    agent =
      proxy === undefined
        ? new Agent({ maxResponseSize: MAX_RESPONSE_BYTES, connect: tls })
        : new ProxyAgent({ maxResponseSize: MAX_RESPONSE_BYTES, uri: proxy.url.href, requestTls: tls });
    agents.set(key, agent);
  }
  return agent;
}

function rejectedBy(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });
}
