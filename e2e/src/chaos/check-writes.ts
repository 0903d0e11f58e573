import { compareMessageIds, parseMessageId } from '@ajs/job-state';
import type { Meta, MetaChange, Violation } from './history.js';

/**
 * Whether what was written to Redis keeps P2 and P3: each write of a holder is made by one who knew exactly what is there, so no two
 * holders' writes interleave; a cursor moves with its states, in a script, and never back.
 */
export function checkWrites(changes: readonly MetaChange[]): Violation[] {
  return changes.flatMap((change) => {
    const { before, after, expected, via } = change;
    if (via === 'command' && after !== undefined) {
      return [broken('a cursor moved without its states (P2)', change, 'written outside of a script')];
    }
    if (before === undefined || after === undefined) return [];
    if (expected !== undefined && !isSame(expected, before)) {
      return [broken('a stale holder wrote (P3)', change, `expected ${show(expected)}`)];
    }
    if (after.generation !== before.generation) return [];
    return isBehind(after.cursor, before.cursor) ? [broken('a cursor went back (P2)', change, '')] : [];
  });
}

function isSame(a: Meta, b: Meta): boolean {
  return a.generation === b.generation && a.cursor === b.cursor && a.revision === b.revision;
}

function isBehind(cursor: string, other: string): boolean {
  const [a, b] = [parseMessageId(cursor), parseMessageId(other)];
  if (a === undefined || b === undefined) return b !== undefined;
  return compareMessageIds(a, b) < 0;
}

function broken(rule: string, { at, by, jobSet, before, after }: MetaChange, why: string): Violation {
  const when = new Date(at).toISOString().slice(11, 23);
  return { rule, what: `${when} ${by} at ${jobSet}: ${show(before)} became ${show(after)} ${why}` };
}

function show(meta: Meta | undefined): string {
  return meta === undefined
    ? 'nothing'
    : `${meta.generation} ${meta.cursor || '(no cursor)'} revision ${meta.revision}`;
}
