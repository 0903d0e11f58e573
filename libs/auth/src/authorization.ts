const MAX_BYTES = 16 * 1024;
/** The b64token of RFC 6750: JWTs and opaque tokens are such. */
const TOKEN = /^[A-Za-z0-9._~+/-]+=*$/;
const BASE64URL = /^[A-Za-z0-9_-]+$/;

/**
 * What is wrong with the values of `authorization` that a call carries, as a predicate for people ("is longer than …"); `undefined`
 * if nothing is, and where there are none. Shows no part of a value: it may be a secret.
 *
 * Accepted is what Armada's clients send: `Basic` and `Bearer` in any case (ASCII only: Go's comparison also takes `baſic`), and
 * `KubernetesAuth` as written. Nothing else may reach Armada: today's servers crash on a Basic header whose text has no colon.
 */
export function problemOfAuthorization(values: readonly (string | Buffer)[]): string | undefined {
  const [value] = values;
  if (value === undefined) return undefined;
  if (values.length > 1) return 'occurs more than once';
  if (typeof value !== 'string' || /[^ -~]/.test(value))
    return 'contains characters that are not printable ASCII';
  if (value.length > MAX_BYTES) return `is longer than ${MAX_BYTES} bytes`;
  const [, scheme = '', credential = ''] = /^([A-Za-z]+) (\S+)$/.exec(value) ?? [];
  if (scheme === '') return 'is not a scheme and a credential separated by one space';
  if (scheme === 'KubernetesAuth') return problemOfKubernetes(credential);
  switch (scheme.toLowerCase()) {
    case 'basic':
      return problemOfBasic(credential);
    case 'bearer':
      return TOKEN.test(credential)
        ? undefined
        : 'has a Bearer token with characters that are not allowed in one';
    default:
      return 'has a scheme other than Basic, Bearer and KubernetesAuth';
  }
}

function problemOfBasic(credential: string): string | undefined {
  const bytes = Buffer.from(credential, 'base64');
  // Of several spellings of the same bytes only one is canonical.
  if (bytes.toString('base64') !== credential) return 'has a Basic credential that is not base64';
  return bytes.includes(':') ? undefined : 'has a Basic credential without a colon';
}

function problemOfKubernetes(credential: string): string | undefined {
  const isRight =
    BASE64URL.test(credential) && hasTokenAndCa(Buffer.from(credential, 'base64url').toString());
  return isRight
    ? undefined
    : 'has a KubernetesAuth credential that is not base64url of JSON with "token" and "ca"';
}

function hasTokenAndCa(json: string): boolean {
  try {
    const { token, ca } = Object(JSON.parse(json)) as Record<string, unknown>;
    return typeof token === 'string' && token !== '' && typeof ca === 'string' && ca !== '';
  } catch {
    return false;
  }
}
