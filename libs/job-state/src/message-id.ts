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

const CURRENT_FORM = /^(\d{1,15}):(\d{1,15}):(\d{1,9}):([01])$/;
const OLDER_FORM = /^(\d{1,15})-(\d{1,15})$/;

/** Reads a message id; `undefined` where the text is in neither of Armada's forms. */
export function parseMessageId(text: string): MessageId | undefined {
  const current = CURRENT_FORM.exec(text);
  if (current !== null) {
    return {
      ms: Number(current[1]),
      sequence: Number(current[2]),
      index: Number(current[3]),
      last: current[4] === '1',
    };
  }
  const older = OLDER_FORM.exec(text);
  if (older === null) return undefined;
  return { ms: Number(older[1]), sequence: Number(older[2]), index: 0, last: false };
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
