import { SettingsError, withoutValue, type Section } from '@ajs/config';
import { z } from 'zod';
import { isSecureUrl } from './secure-url.js';

const name = z
  .string({ error: ({ input }) => (input === undefined ? 'is missing' : 'must be a single value') })
  .min(1, { error: 'must not be empty' });
const names = z.array(name, { error: 'must be a list' });
/** Every scalar of the file is text. */
const yesOrNo = z
  .enum(['true', 'false'], { error: 'must be true or false' })
  .transform((text) => text === 'true');
const SCRYPT = /^\$scrypt\$ln=(1[0-7]),r=8,p=1\$[A-Za-z0-9+/]{16,}\$[A-Za-z0-9+/]{43,}$/;

const basicUser = z
  .strictObject({
    passwordHash: z
      .string()
      .regex(SCRYPT, {
        error: 'must be $scrypt$ln=15,r=8,p=1$SALT$HASH; docs/callers.md shows how to make one',
      })
      .optional(),
    passwordFile: name.optional(),
    passwordEnv: name.optional(),
    groups: names.default([]),
  })
  .refine(
    ({ passwordHash, passwordFile, passwordEnv }) =>
      [passwordHash, passwordFile, passwordEnv].filter((given) => given !== undefined).length === 1,
    { error: 'must have exactly one of passwordHash, passwordFile and passwordEnv' },
  );

const userName = z
  .string()
  .regex(/^[^:]+$/, { error: 'a user name must not be empty and must not hold a colon' });

const secureUrl = z.string().refine(isSecureBaseUrl, {
  error:
    'must be an https:// address (http:// only for this machine itself), without user, query or fragment',
});

/** Maps a permission to its holders. Only `watch_all_events` has a meaning here; Armada's other permissions are allowed and ignored. */
const mapping = z.record(z.string(), names).default({});

const authSection = z.strictObject({
  basicAuth: z.strictObject({ users: z.record(userName, basicUser) }).optional(),
  openIdAuth: z
    .strictObject({
      /** Exactly as in the claim `iss` of its tokens. */
      providerUrl: secureUrl,
      /** A token's audience must include one of these. */
      audience: z.union([name.transform((one) => [one]), names.min(1)], {
        error: 'must be a single value, or a list of at least one',
      }),
      groupsClaim: name.default('groups'),
      /** How far the provider's clock may be from ours. */
      clockSkewSeconds: z
        .string()
        .regex(/^([0-9]|[1-9][0-9]|[12][0-9][0-9]|300)$/, { error: 'must be a number from 0 to 300' })
        .default('30')
        .transform(Number),
    })
    .optional(),
  /** What is left out defaults to what a pod finds in its cluster. */
  kubernetesAuth: z
    .strictObject({
      apiUrl: secureUrl.optional(),
      tokenFile: name.optional(),
      caFile: name.optional(),
      audiences: names.default([]),
    })
    .optional(),
  /** Whether a caller without credentials is the principal `anonymous`. */
  anonymousAuth: yesOrNo.default(false),
  /** Whether the name in a verified client certificate is a user name. */
  clientCertificateAuth: yesOrNo.default(false),
  permissionGroupMapping: mapping,
  permissionScopeMapping: mapping,
  permissionClaimMapping: mapping,
  /** Who may watch a queue, besides those whom the queue's own permissions let. */
  queueRules: z
    .array(z.strictObject({ queue: name, users: names.default([]), groups: names.default([]) }))
    .default([]),
  /** Whether the permissions of Armada's queues count, too. */
  queuePermissionsFromArmada: yesOrNo.default(true),
});

/**
 * The section `auth` of the file: who callers are and what they may watch, for AUTH_MODE=local. Keys are named as in the
 * configuration of Armada's server where it has the same thing.
 */
export type AuthSection = z.output<typeof authSection>;

/** Throws SettingsError; each problem names the path of its key and shows no value, which may be a secret, nor a key that holds one. */
export function parseAuthSection(section: Section | undefined): AuthSection {
  if (section === undefined)
    throw new SettingsError([`AUTH_MODE is local, but the file has no section auth; ${NEEDED}`]);
  const { content, file } = section;
  const parsed = authSection.safeParse(content);
  if (!parsed.success) {
    throw new SettingsError(
      parsed.error.issues.map((issue) => {
        const path = ['auth', ...issue.path].map((key) => withoutValue(String(key))).join('.');
        return `${path} (${file}): ${messageOf(issue)}`;
      }),
    );
  }
  const { basicAuth, openIdAuth, kubernetesAuth, clientCertificateAuth, anonymousAuth } = parsed.data;
  if (![basicAuth, openIdAuth, kubernetesAuth, clientCertificateAuth, anonymousAuth].some(Boolean)) {
    throw new SettingsError([`auth (${file}) has no authentication method; ${NEEDED}`]);
  }
  return parsed.data;
}

function messageOf(issue: z.core.$ZodIssue): string {
  if (issue.code === 'unrecognized_keys')
    return `unknown key ${issue.keys.map((key) => JSON.stringify(withoutValue(key))).join(', ')}`;
  return issue.code === 'invalid_key' ? (issue.issues[0]?.message ?? issue.message) : issue.message;
}

const NEEDED =
  'it must have basicAuth, openIdAuth, kubernetesAuth, clientCertificateAuth or anonymousAuth: see docs/callers.md';

function isSecureBaseUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const url = new URL(text);
  return isSecureUrl(url) && url.search + url.hash === '';
}
