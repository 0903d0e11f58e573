import { z } from 'zod';
import { parseCount, parseDuration, parseHostPort } from './parsers.js';

/** Which process reads a setting; the other one accepts it too, so that both can share one file. */
export type UsedBy = 'both' | 'ingester' | 'query';

/** One setting: an environment variable, and the same name in camelCase in the file. */
export interface Setting<T> {
  readonly env: string;
  readonly usedBy: UsedBy;
  /** As a user would write it. */
  readonly default: string;
  readonly about: string;
  /** What is allowed, for people: "… must be ALLOWED". */
  readonly allowed: string;
  readonly schema: z.ZodType<T, string>;
  /** How the value is shown in an error; needed where it may hold a secret. */
  readonly show?: (text: string) => string;
}

export function setting<T>(
  usedBy: UsedBy,
  env: string,
  defaultText: string,
  about: string,
  allowed: string,
  parse: (text: string) => T | undefined,
  show?: (text: string) => string,
): Setting<T> {
  const schema = z.string().transform((text, context): T => {
    const value = parse(text.trim());
    if (value !== undefined) return value;
    context.addIssue({ code: 'custom', message: allowed });
    return z.NEVER;
  });
  return { env, usedBy, default: defaultText, about, allowed, schema, ...(show !== undefined && { show }) };
}

export const oneOf =
  <T extends string>(...values: T[]) =>
  (text: string): T | undefined =>
    values.find((value) => value === text);

const LISTEN_ADDRESS = 'host:port, with a port from 0 (any free port) to 65535';

export const listenAddress = (usedBy: UsedBy, env: string, defaultText: string, about: string) =>
  setting(usedBy, env, defaultText, about, LISTEN_ADDRESS, (text) => parseHostPort(text, 0));

/** `null`: none. */
export const optionalListenAddress = (usedBy: UsedBy, env: string, about: string) =>
  setting(usedBy, env, '', about, `${LISTEN_ADDRESS}, or empty`, (text) =>
    text === '' ? null : parseHostPort(text, 0),
  );

export const duration = (
  usedBy: UsedBy,
  env: string,
  defaultText: string,
  about: string,
  leastMs = 1_000,
  most = '365d',
) =>
  setting(
    usedBy,
    env,
    defaultText,
    about,
    `a duration with a unit (ms, s, m, h or d), such as ${defaultText}, of at least ${leastMs} ms and at most ${most}`,
    (text) => parseDuration(text, leastMs, most),
  );

/** The name of a file; empty means none. */
export const optionalFile = (usedBy: UsedBy, env: string, about: string) =>
  setting(usedBy, env, '', about, 'a file name', (text) => text);

export const count = (
  usedBy: UsedBy,
  env: string,
  defaultText: string,
  about: string,
  least: number,
  most: number,
) =>
  setting(usedBy, env, defaultText, about, `a whole number from ${least} to ${most}`, (text) =>
    parseCount(text, least, most),
  );

/** A value that no error shows. Empty means none. */
export const secret = (usedBy: UsedBy, env: string, about: string, allowed: string, leastLength: number) =>
  setting(
    usedBy,
    env,
    '',
    about,
    allowed,
    (text) => (text === '' || text.length >= leastLength ? text : undefined),
    () => '***',
  );

/** The name of a setting in the file: its environment variable in camelCase. */
export function fileKeyOf({ env }: Pick<Setting<unknown>, 'env'>): string {
  return env.toLowerCase().replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());
}
