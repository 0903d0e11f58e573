import { withoutValue } from '@ajs/config';
import { z } from 'zod';

/** A context of an armadactl file, or our own settings in its form. */
export interface ContextSource {
  /** Every scalar is text, as {@link readYamlFile} gives it. */
  readonly content: unknown;
  /** What precedes a key, for people: `contexts.main.`. */
  readonly prefix: string;
  readonly file: string;
}

/** Keys in their usual spelling; armadactl accepts any case. */
const SPELLINGS = new Map(
  [
    'armadaUrl',
    'armadaRestUrl',
    'forceNoTls',
    'grpcKeepAliveTime',
    'grpcKeepAliveTimeout',
    'cacheRefreshToken',
    'executorClusters',
    'currentContext',
    'contexts',
    'basicAuth',
    'username',
    'password',
    'kubernetesNativeAuth',
    'enabled',
    'expiry',
    'openIdAuth',
    'openIdDeviceAuth',
    'openIdPasswordAuth',
    'openIdClientCredentialsAuth',
    'openIdKubernetesAuth',
    'providerUrl',
    'clientId',
    'clientSecret',
    'scopes',
    'localPort',
    'execAuth',
    'cmd',
    'args',
    'env',
    'name',
    'value',
    'interactive',
  ].map((key) => [key.toLowerCase(), key]),
);

/** A map with its keys in their usual spelling; anything else unchanged. */
export function spelled(value: unknown): unknown {
  if (!isMap(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [SPELLINGS.get(key.toLowerCase()) ?? key, inner]),
  );
}

const text = z.string('must be a single value').default('');
const flag = z
  .string('must be true or false')
  .regex(/^(?:true|false|)$/i, 'must be true or false')
  .transform((value) => value.toLowerCase() === 'true')
  .default(false);
const texts = z
  .union([z.array(z.string()), z.string().transform((value) => value.split(',').filter(Boolean))], {
    error: 'must be a list of texts',
  })
  .default([]);
const seconds = z
  .string('must be a number of seconds')
  .regex(/^\d{0,9}$/, 'must be a whole number of seconds')
  .transform(Number)
  .default(0);

/** A map whose keys may be in any case; a missing one is empty. */
function map<T extends z.ZodRawShape>(shape: T) {
  const inner = z.object(shape, 'must be a map');
  return z.preprocess((value) => (value === undefined || value === '' ? {} : spelled(value)), inner);
}

const provider = { providerUrl: text, clientId: text, scopes: texts };

const FIELDS = {
  basicAuth: { username: text, password: text },
  kubernetesNativeAuth: { enabled: flag, expiry: seconds },
  openIdAuth: { ...provider, localPort: text },
  openIdDeviceAuth: provider,
  openIdPasswordAuth: { ...provider, username: text, password: text },
  openIdClientCredentialsAuth: { ...provider, clientSecret: text },
  openIdKubernetesAuth: provider,
  execAuth: {
    cmd: text,
    args: texts,
    env: z
      .union([z.literal('').transform(() => []), z.array(map({ name: text, value: text }))], {
        error: 'must be a list of maps, each with name and value',
      })
      .default([]),
    interactive: flag,
  },
};

const KINDS = {
  basicAuth: map(FIELDS.basicAuth),
  kubernetesNativeAuth: map(FIELDS.kubernetesNativeAuth),
  openIdAuth: map(FIELDS.openIdAuth),
  openIdDeviceAuth: map(FIELDS.openIdDeviceAuth),
  openIdPasswordAuth: map(FIELDS.openIdPasswordAuth),
  openIdClientCredentialsAuth: map(FIELDS.openIdClientCredentialsAuth),
  openIdKubernetesAuth: map(FIELDS.openIdKubernetesAuth),
  execAuth: map(FIELDS.execAuth),
};

const contextSchema = map({ armadaUrl: text, forceNoTls: flag, ...KINDS });

export type Context = z.output<typeof contextSchema>;

/** Keys that set our identity. */
export const KIND_KEYS: readonly string[] = Object.keys(KINDS);

/** Keys that a context may have; some have a meaning to armadactl only. */
export const CONTEXT_KEYS: readonly string[] = [
  ...KIND_KEYS,
  'armadaUrl',
  'forceNoTls',
  'armadaRestUrl',
  'grpcKeepAliveTime',
  'grpcKeepAliveTimeout',
  'cacheRefreshToken',
  'executorClusters',
  'currentContext',
  'contexts',
];

/** Reads a context; a problem names its key, never its value. `undefined` where there are problems. */
export function readContext(
  { content, prefix, file }: ContextSource,
  problems: string[],
): Context | undefined {
  const result = contextSchema.safeParse(content);
  if (result.success) return result.data;
  for (const { path, message } of result.error.issues) {
    // The context itself has no path.
    const key = path.length === 0 ? prefix.slice(0, -1) : `${prefix}${path.join('.')}`;
    problems.push(`${key} (${file}) ${message}`);
  }
  return undefined;
}

/** A key that is perhaps mistyped, safe to be shown, and those that may stand in its place. */
export interface UnknownKey {
  readonly key: string;
  readonly valid: readonly string[];
}

/** The keys of a context that are not among the known ones, and those of its kinds that are not among theirs. */
export function keysBeyond(known: readonly string[], { content }: ContextSource): UnknownKey[] {
  const context = spelled(content);
  const ofKinds = Object.entries(FIELDS).flatMap(([kind, fields]) => {
    const inKind = isMap(context) ? spelled(context[kind]) : undefined;
    return unknownIn(inKind, Object.keys(fields)).map(({ key, valid }) => ({ key: `${kind}.${key}`, valid }));
  });
  return [...unknownIn(context, known), ...ofKinds];
}

function unknownIn(map: unknown, valid: readonly string[]): UnknownKey[] {
  if (!isMap(map)) return [];
  const unknown = Object.keys(map).filter((key) => !valid.includes(key));
  return unknown.map((key) => ({ key: withoutValue(key), valid }));
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
