/** Spreads texts evenly over `shards` numbers from 0 (32-bit FNV-1a over UTF-16 units). Stored data depends on it: never change it. */
export function shardOf(text: string, shards: number): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  }
  return (hash >>> 0) % shards;
}
