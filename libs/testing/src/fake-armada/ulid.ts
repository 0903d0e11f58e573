const DIGITS = '0123456789abcdefghjkmnpqrstvwxyz';

/** Makes job ids like Armada's. `random` returns numbers from 0 (included) to 1 (excluded). */
export function ulidFactory(random: () => number): () => string {
  return () => ulidAt(Date.now(), random);
}

/** A job id as Armada makes one at a time, in milliseconds since the epoch: a ULID in lower case. */
export function ulidAt(ms: number, random: () => number = Math.random): string {
  let time = Math.floor(ms);
  let text = '';
  for (let i = 0; i < 10; i++) {
    text = (DIGITS[time % 32] ?? '') + text;
    time = Math.floor(time / 32);
  }
  for (let i = 0; i < 16; i++) text += DIGITS[Math.floor(random() * 32)] ?? '';
  return text;
}

/** A sequence of numbers from 0 (included) to 1 (excluded) that is the same for the same seed (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
