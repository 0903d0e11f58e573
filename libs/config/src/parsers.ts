import type { RedisTarget } from '@ajs/job-store';

/** Where a server listens. Port 0: any free one. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
  /** As it was written. */
  readonly text: string;
}

const DURATION = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/;
const MS_IN: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/**
 * `500ms`, `10s`, `10m`, `24h`, `7d`: milliseconds; `undefined` where it is none of these, or out of bounds. A timer of Node waits for
 * 24 days at most, and not at all when it is told more: what a timer waits for in one go has its bound below that.
 */
export function parseDuration(text: string, leastMs: number, most = '365d'): number | undefined {
  const ms = toMs(text);
  return Number.isInteger(ms) && ms >= leastMs && ms <= toMs(most) ? ms : undefined;
}

/** NaN where the text is no time with its unit. */
function toMs(text: string): number {
  const match = DURATION.exec(text);
  return match === null ? NaN : Number(match[1]) * (MS_IN[match[2] ?? ''] ?? NaN);
}

/** A whole number between two bounds, themselves included. */
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
 * `redis://`, `redis-cluster://a:1,b:2` or `redis-sentinel://a:1,b:2/NAME`, each with `user:password@` at will; `rediss` in place of
 * `redis` is TLS.
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
  const login = at < 0 ? {} : loginOf(rest.slice(0, at));
  if (nodes.length < parsed.length || login === undefined || more.length > 0) return undefined;
  const access = { tls: several[1] === 's', ...login };
  if (several[2] === 'cluster') return name === '' ? { kind: 'cluster', nodes, ...access } : undefined;
  return SENTINEL_MASTER.test(name) ? { kind: 'sentinel', sentinels: nodes, name, ...access } : undefined;
}

/** As Sentinel itself allows it. */
const SENTINEL_MASTER = /^[\w.-]+$/;

function loginOf(text: string): { username?: string; password?: string } | undefined {
  const colon = text.indexOf(':');
  try {
    const username = decodeURIComponent(colon < 0 ? text : text.slice(0, colon));
    const password = colon < 0 ? '' : decodeURIComponent(text.slice(colon + 1));
    return { ...(username !== '' && { username }), ...(password !== '' && { password }) };
  } catch {
    return undefined;
  }
}

/** Services that the query answers itself, whole: no method of theirs is anybody else's. */
export const ANSWERED_SERVICES = [
  'api.Jobs',
  'jobservice.JobService',
  'grpc.health.v1.Health',
  'grpc.reflection.v1.ServerReflection',
  'grpc.reflection.v1alpha.ServerReflection',
];

const SERVICE = /^[A-Za-z]\w*(?:\.[A-Za-z]\w*)+$/;

/** Full names of gRPC services, with commas between; `undefined` where one is none, or is answered here. */
export function parseServices(text: string): readonly string[] | undefined {
  const services = text.split(',').map((name) => name.trim());
  return services.every((name) => SERVICE.test(name) && !ANSWERED_SERVICES.includes(name))
    ? services
    : undefined;
}

/**
 * An address of Redis or Armada, right or wrong, without what may be a secret in it: fit for an error or a log. A login may hold any
 * character, also those that end it in a well-formed URL.
 */
export function withoutLogin(text: string): string {
  const [, scheme = '', rest = ''] = /^([a-z-]*:\/\/)?(.*)$/is.exec(text) ?? [];
  const at = rest.lastIndexOf('@');
  // Options may hold a password too, and what stands for a port and is none may be one whose host was forgotten.
  const hosts = rest
    .slice(at + 1)
    .replace(/\?.*$/s, '?***')
    .replace(/:(?!\d*(?:[,/?]|$))[^,/?]*/g, ':***');
  return `${scheme}${at < 0 ? '' : '***@'}${hosts}`;
}
