import { isIPv4 } from 'node:net';

type Env = Readonly<Record<string, string | undefined>>;

/** A proxy that the environment puts between this process and a server. */
export interface Proxy {
  /** Holds its login, where it has one. */
  readonly url: URL;
  /** For people: its address, without the login, and the variable that names it. */
  readonly description: string;
}

/** The variables that name the proxy, the first that is set counts: those of grpc-js, and for HTTP those of them that curl knows. */
const PROXIES = {
  grpc: ['grpc_proxy', 'https_proxy', 'http_proxy'],
  https: ['https_proxy', 'http_proxy'],
  http: ['http_proxy'],
} as const;

/**
 * The proxy on the way to a host; `undefined` where there is none. Loopback addresses never have one, nor what `no_proxy` lists (for gRPC
 * `no_grpc_proxy`, if it is set): ends of host names, IPv4 addresses and networks (10.0.0.0/8), or `*`, separated by commas.
 */
export function proxyFor(host: string, protocol: keyof typeof PROXIES, env: Env): Proxy | undefined {
  const variable = PROXIES[protocol].find((name) => env[name]);
  const text = variable === undefined ? '' : (env[variable] ?? '');
  const url = URL.canParse(text) ? new URL(text) : undefined;
  // grpc-js supports no other.
  if (variable === undefined || url?.protocol !== 'http:') return undefined;
  const exceptions = (protocol === 'grpc' && env['no_grpc_proxy']) || (env['no_proxy'] ?? '');
  if (isLoopback(host) || isListed(host, exceptions.split(','))) return undefined;
  return { url, description: `http://${url.host}, set by ${variable}` };
}

/**
 * Removes empty entries, such as the one behind a trailing comma, from `no_proxy` and `no_grpc_proxy`: grpc-js reads these itself, and
 * takes an empty one for every host.
 */
export function dropEmptyExceptions(env: Record<string, string | undefined>): void {
  for (const name of ['no_proxy', 'no_grpc_proxy']) {
    const list = env[name]?.split(',').filter((entry) => entry.trim() !== '');
    if (list !== undefined) env[name] = list.join(',');
  }
}

/** What follows the cause of an error where there is a proxy. */
export function throughProxy({ description }: Proxy): string {
  return `through the proxy ${description}`;
}

export function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[(.*)\]$/, '$1');
  return bare === 'localhost' || bare === '::1' || (isIPv4(bare) && bare.startsWith('127.'));
}

function isListed(host: string, list: readonly string[]): boolean {
  return list
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '')
    .some((entry) => entry === '*' || host.endsWith(entry) || isInNetwork(host, entry));
}

function isInNetwork(host: string, network: string): boolean {
  const [, address = '', bits] = /^([\d.]+)\/(\d+)$/.exec(network) ?? [];
  if (!isIPv4(host) || !isIPv4(address)) return false;
  const size = 2 ** (32 - Number(bits));
  return Math.floor(numberOf(host) / size) === Math.floor(numberOf(address) / size);
}

function numberOf(address: string): number {
  return address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
}
