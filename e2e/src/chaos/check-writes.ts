import { compareMessageIds, parseMessageId } from '@ajs/job-state';
import type { Meta, MetaChange, Violation } from './history.js';

/**
 * The violations of P2 and P3 among writes to Redis. An owner's write must expect exactly what is there, so that no two owners' writes
 * interleave; a cursor moves together with its states, in a script, and never backwards.
 */
export function checkWrites(changes: readonly MetaChange[]): Violation[] {
  return changes.flatMap((change) => {
    const { before, after, expected, via } = change;
    if (via === 'command' && after !== undefined) {
      return [broken('cursor written without its states (P2)', change, 'written outside a script')];
    }
    if (before === undefined || after === undefined) return [];
    if (expected !== undefined && !isSame(expected, before)) {
      return [broken('stale owner wrote (P3)', change, `expected ${show(expected)}`)];
    }
    if (after.generation !== before.generation) return [];
    return isBehind(after.cursor, before.cursor) ? [broken('cursor moved backwards (P2)', change, '')] : [];
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
