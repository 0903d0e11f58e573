/**
 * When a JWT says that it expires (`exp`), in milliseconds since 1970; `undefined` where it is no JWT or does not say. Nothing of it
 * is verified: it may shorten what it is used for, never prove anything.
 */
export function jwtExpiry(token: string): number | undefined {
  const [, payload, signature, ...more] = token.split('.');
  if (payload === undefined || signature === undefined || more.length > 0) return undefined;
  try {
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as { exp?: unknown } | null;
    return typeof claims?.exp === 'number' && Number.isFinite(claims.exp) ? claims.exp * 1_000 : undefined;
  } catch {
    return undefined;
  }
}
