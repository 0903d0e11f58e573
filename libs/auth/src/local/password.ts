import { createHash, randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';

const derive = promisify<string, Buffer, number, object, Buffer>(scrypt);

/** `$scrypt$ln=15,r=8,p=1$SALT$HASH`, salt and hash in base64 without padding. */
const HASHED = /^\$scrypt\$ln=(\d+),r=(\d+),p=(\d+)\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/;
/** The most memory that scrypt may use. Bytes. */
const MAX_MEMORY = 256 * 1024 * 1024;

/** A password as it is stored: as a hash, or in plain text where a file or the environment holds it. */
export type StoredPassword = { readonly hash: string } | { readonly plain: string };

/**
 * The password to check for an unknown user: none matches it, and checking takes as long as for the first hashed password of the
 * known users, or, where none is hashed, as for one in plain text, so that the time does not show who exists. It still tells
 * users with differently stored passwords apart.
 */
export function decoyPassword(others: readonly StoredPassword[]): StoredPassword {
  const hashed = others.find((other) => 'hash' in other);
  if (hashed === undefined) return { plain: randomBytes(32).toString('base64') };
  const [, ln, r, p, salt, hash] = HASHED.exec(hashed.hash) ?? [];
  return { hash: `$scrypt$ln=${ln},r=${r},p=${p}$${randomLike(salt)}$${randomLike(hash)}` };
}

/** Other bytes, as many as these. Base64 without padding. */
function randomLike(text = ''): string {
  return randomBytes(Buffer.from(text, 'base64').length).toString('base64').replace(/=+$/, '');
}

/** Whether this is the password, in a time that does not show how nearly it is. */
export async function passwordMatches(stored: StoredPassword, given: string): Promise<boolean> {
  if ('plain' in stored) return timingSafeEqual(digest(stored.plain), digest(given));
  const [, ln, r, p, salt, hash] = HASHED.exec(stored.hash) ?? [];
  const expected = Buffer.from(hash ?? '', 'base64');
  const options = { N: 2 ** Number(ln), r: Number(r), p: Number(p), maxmem: MAX_MEMORY };
  const actual = await derive(given, Buffer.from(salt ?? '', 'base64'), expected.length, options);
  return timingSafeEqual(actual, expected);
}

/** Of one length, whatever the password's. */
function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
