import { createHash, randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';

const derive = promisify<string, Buffer, number, object, Buffer>(scrypt);

/** `$scrypt$ln=15,r=8,p=1$SALT$HASH`, salt and hash in base64 without padding. */
const HASHED = /^\$scrypt\$ln=(\d+),r=(\d+),p=(\d+)\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/;
/** What scrypt may take. Bytes. */
const MOST_MEMORY = 256 * 1024 * 1024;

/** A password as it is kept: as a hash, or in plain where a file or the environment holds it. */
export type StoredPassword = { readonly hash: string } | { readonly plain: string };

/**
 * What is kept for a user who is not there, beside these who are: no password is right, and to find that out takes as long as for
 * the first of them that is hashed, or, where none is, as for those in plain. Between users whose passwords are kept in different
 * ways the time tells.
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

/** Whether this is the password, in a time that does not tell how nearly it is. */
export async function passwordMatches(kept: StoredPassword, given: string): Promise<boolean> {
  if ('plain' in kept) return timingSafeEqual(digest(kept.plain), digest(given));
  const [, ln, r, p, salt, hash] = HASHED.exec(kept.hash) ?? [];
  const expected = Buffer.from(hash ?? '', 'base64');
  const options = { N: 2 ** Number(ln), r: Number(r), p: Number(p), maxmem: MOST_MEMORY };
  const actual = await derive(given, Buffer.from(salt ?? '', 'base64'), expected.length, options);
  return timingSafeEqual(actual, expected);
}

/** Of one length, whatever the password's. */
function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
