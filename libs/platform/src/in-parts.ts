/** The same in their order, at most `size` in a part: what is sent to Redis in one command holds up everyone else. No part is empty. */
export function inParts<T>(all: readonly T[], size: number): T[][] {
  const parts: T[][] = [];
  for (let from = 0; from < all.length; from += size) parts.push(all.slice(from, from + size));
  return parts;
}
