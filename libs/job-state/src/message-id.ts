import { ArmadaTime } from './times.js';
import type { Brand } from './brand.js';

/** A message id as Armada's server wrote it, verbatim: what a stream is resumed from. '' is the stream's beginning. */
export type Cursor = Brand<'Cursor'>;

/** Says of a text that it is a cursor: for those who take it from a message, or from where it was kept. */
export function Cursor(text: string): Cursor {
  return text as Cursor;
}

/**
 * Where a message stands in its job set's stream, as Armada's servers write it: `<ms>:<n>:<i>:<0|1>` — the time and
 * sequence number of the stored entry, the index inside the entry, and whether it is the entry's last. The older form
 * `<ms>-<n>` names the first message of an entry.
 */
export interface MessageId {
  /** Milliseconds since the epoch, by the clock of Armada's event store. */
  readonly ms: number;
  readonly sequence: number;
  readonly index: number;
  readonly last: boolean;
}

const ZERO = '0'.charCodeAt(0);
/** The most digits of a time and of a sequence number, and of an index: all such numbers are exact. */
const LONGEST = 15;
const LONGEST_INDEX = 9;

/** Reads a message id; `undefined` where the text is in neither of Armada's forms. */
export function parseMessageId(text: string): MessageId | undefined {
  const [first, end] = [text.indexOf(':'), text.length];
  if (first < 0) return parseOlderForm(text);
  const second = text.indexOf(':', first + 1);
  const third = text.indexOf(':', second + 1);
  const ms = wholeNumber(text, 0, first, LONGEST);
  const sequence = wholeNumber(text, first + 1, second, LONGEST);
  const index = wholeNumber(text, second + 1, third, LONGEST_INDEX);
  const last = wholeNumber(text, third + 1, end, 1);
  if (ms === undefined || sequence === undefined || index === undefined) return undefined;
  return last === 0 || last === 1 ? { ms, sequence, index, last: last === 1 } : undefined;
}

function parseOlderForm(text: string): MessageId | undefined {
  const dash = text.indexOf('-');
  const ms = wholeNumber(text, 0, dash, LONGEST);
  const sequence = wholeNumber(text, dash + 1, text.length, LONGEST);
  if (ms === undefined || sequence === undefined) return undefined;
  return { ms, sequence, index: 0, last: false };
}

/** The number that these characters are, if they are digits and not too many. A regular expression takes several times as long. */
function wholeNumber(text: string, from: number, to: number, mostDigits: number): number | undefined {
  if (to <= from || to - from > mostDigits) return undefined;
  let value = 0;
  for (let i = from; i < to; i++) {
    const digit = text.charCodeAt(i) - ZERO;
    if (digit < 0 || digit > 9) return undefined;
    value = value * 10 + digit;
  }
  return value;
}

/** When the message was stored, by the clock of Armada's event store. */
export function messageTime({ ms }: MessageId): ArmadaTime {
  return ArmadaTime(ms);
}

/** The current form of a message id: the inverse of {@link parseMessageId}. */
export function formatMessageId(id: MessageId): Cursor {
  return Cursor(`${id.ms}:${id.sequence}:${id.index}:${id.last ? 1 : 0}`);
}

/** Negative, zero or positive as `a` stands before, at or after `b`. Ids are compared as numbers, never as text. */
export function compareMessageIds(a: MessageId, b: MessageId): number {
  return a.ms - b.ms || a.sequence - b.sequence || a.index - b.index;
}
