import type { RedisTarget } from '@ajs/job-store';

/** The address that a server listens on. Port 0: any free port. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
  /** As written in the settings. */
  readonly text: string;
}

const DURATION = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/;
const MS_IN: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/**
 * `500ms`, `10s`, `10m`, `24h`, `7d` in milliseconds; `undefined` if it is no duration or out of bounds. A timer of Node waits for at
 * most 24 days and fires at once for more: the settings that a timer waits for have an upper bound below that.
 */
export function parseDuration(text: string, leastMs: number, most = '365d'): number | undefined {
  const ms = toMs(text);
  return Number.isInteger(ms) && ms >= leastMs && ms <= toMs(most) ? ms : undefined;
}

/** NaN if the text is not a duration with a unit. */
function toMs(text: string): number {
  const match = DURATION.exec(text);
  return match === null ? NaN : Number(match[1]) * (MS_IN[match[2] ?? ''] ?? NaN);
}

/** A whole number from `least` to `most`, both included. */
export function parseCount(text: string, least: number, most: number): number | undefined {
  if (!/^\d{1,15}$/.test(text)) return undefined;
  const value = Number(text);
  return value >= least && value <= most ? value : undefined;
}

const HOST = /^(?:\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)$/;

/** `host:port`; an IPv6 address stands in brackets. */
export function parseHostPort(text: string, leastPort: number): ListenAddress | undefined {
  const colon = text.lastIndexOf(':');
  const host = text.slice(0, Math.max(colon, 0));
  const port = parseCount(text.slice(colon + 1), leastPort, 65_535);
  if (port === undefined || !HOST.test(host)) return undefined;
  return { host: host.replace(/^\[(.*)\]$/, '$1'), port, text };
}

const SEVERAL = /^redis(s?)-(cluster|sentinel):\/\//;

/**
 * `redis://`, `redis-cluster://a:1,b:2` or `redis-sentinel://a:1,b:2/NAME`, each with an optional `user:password@`; `rediss` in
 * place of `redis` means TLS.
 */
export function parseRedisUrl(text: string): RedisTarget | undefined {
  const several = SEVERAL.exec(text);
  if (several === null) {
    return /^rediss?:\/\/[^\s/]+(\/\d*)?$/.test(text) && URL.canParse(text)
      ? { kind: 'single', url: text }
      : undefined;
  }
  const rest = text.slice(several[0].length);
  const at = rest.lastIndexOf('@');
  const [hosts = '', name = '', ...more] = rest.slice(at + 1).split('/');
  const parsed = hosts.split(',').map((node) => parseHostPort(node, 1));
  const nodes = parsed.filter((node) => node !== undefined).map(({ host, port }) => ({ host, port }));
  const login = at < 0 ? {} : parseLogin(rest.slice(0, at));
  if (nodes.length < parsed.length || login === undefined || more.length > 0) return undefined;
  const access = { tls: several[1] === 's', ...login };
  if (several[2] === 'cluster') return name === '' ? { kind: 'cluster', nodes, ...access } : undefined;
  return SENTINEL_MASTER.test(name) ? { kind: 'sentinel', sentinels: nodes, name, ...access } : undefined;
}

/** The names that Sentinel itself allows. */
const SENTINEL_MASTER = /^[\w.-]+$/;

function parseLogin(text: string): { username?: string; password?: string } | undefined {
  const colon = text.indexOf(':');
  try {
    const username = decodeURIComponent(colon < 0 ? text : text.slice(0, colon));
    const password = colon < 0 ? '' : decodeURIComponent(text.slice(colon + 1));
    return { ...(username !== '' && { username }), ...(password !== '' && { password }) };
  } catch {
    return undefined;
  }
}

/** Services that the query implements, all their methods included: they are never forwarded. */
export const IMPLEMENTED_SERVICES = [
  'api.Jobs',
  'jobservice.JobService',
  'jobservice.v2.JobStatusService',
  'grpc.health.v1.Health',
  'grpc.reflection.v1.ServerReflection',
  'grpc.reflection.v1alpha.ServerReflection',
];

/** Host names without ports, separated by commas, or `*`; empty means none. `undefined` if one is malformed. */
export function parseHostNames(text: string): readonly string[] | undefined {
  if (text === '') return [];
  const names = text.split(',').map((name) => name.trim());
  return names.every((name) => name === '*' || /^[A-Za-z0-9._-]+$/.test(name)) ? names : undefined;
}

/**
 * Origins of web pages, separated by commas; empty means none. `undefined` if one is not written as browsers do in the header `Origin`,
 * with which it is compared as text.
 */
export function parseOrigins(text: string): readonly string[] | undefined {
  if (text === '') return [];
  const origins = text.split(',').map((origin) => origin.trim());
  return origins.every((origin) => ORIGIN.test(origin) && originOf(origin) === origin) ? origins : undefined;
}

const ORIGIN = /^https?:\/\/(?:\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::\d{1,5})?$/;

function originOf(text: string): string | undefined {
  return URL.canParse(text) ? new URL(text).origin : undefined;
}

const SERVICE = /^[A-Za-z]\w*(?:\.[A-Za-z]\w*)+$/;

/** Full names of gRPC services, separated by commas; `undefined` if one is malformed or is implemented here. */
export function parseServices(text: string): readonly string[] | undefined {
  const services = text.split(',').map((name) => name.trim());
  return services.every((name) => SERVICE.test(name) && !IMPLEMENTED_SERVICES.includes(name))
    ? services
    : undefined;
}

/**
 * An address of Redis or Armada, valid or not, without anything that may be a secret: safe for errors and logs. A login may contain
 * any character, also those that end it in a well-formed URL.
 */
export function withoutLogin(text: string): string {
  const [, scheme = '', rest = ''] = /^([a-z-]*:\/\/)?(.*)$/is.exec(text) ?? [];
  const at = rest.lastIndexOf('@');
  // Options may contain a password too; so may a port that is no number, if the host was left out.
  const hosts = rest
    .slice(at + 1)
    .replace(/\?.*$/s, '?***')
    .replace(/:(?!\d*(?:[,/?]|$))[^,/?]*/g, ':***');
  return `${scheme}${at < 0 ? '' : '***@'}${hosts}`;
}
