import { EventStreamMessage, type EventMessage } from '@ajs/contracts/api/event';
import { compareMessageIds, formatMessageId, parseMessageId, type MessageId } from '@ajs/job-state';

export interface LoggedMessage {
  readonly id: MessageId;
  /** The serialized `api.EventStreamMessage`, sent as it is. */
  readonly bytes: Buffer;
}

/** The events of one job set, in one order, as Armada keeps them for a while. */
export class EventLog {
  private messages: LoggedMessage[] = [];
  /** How many of the oldest are no longer there; positions count on. */
  private forgotten = 0;
  private lastEntry = { ms: 0, sequence: 0 };
  private readonly readers = new Set<() => void>();

  /** How many messages it holds. */
  get length(): number {
    return this.messages.length;
  }

  /** One past the position of the newest message. */
  get end(): number {
    return this.forgotten + this.messages.length;
  }

  /** The message at a position, or the oldest one after it that is still there. */
  at(position: number): { message: LoggedMessage; next: number } | undefined {
    const index = Math.max(position - this.forgotten, 0);
    const message = this.messages[index];
    return message && { message, next: this.forgotten + index + 1 };
  }

  /** The position of the first message after `id`; `undefined` stands for the beginning. */
  after(id: MessageId | undefined): number {
    let low = 0;
    let high = id === undefined ? 0 : this.messages.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const message = this.messages[middle];
      if (id !== undefined && message !== undefined && compareMessageIds(message.id, id) <= 0)
        low = middle + 1;
      else high = middle;
    }
    return this.forgotten + low;
  }

  /** Appends events that Armada keeps together: one entry, with an id for each. */
  append(events: readonly EventMessage[], now = Date.now()): void {
    const { ms, sequence } = this.lastEntry;
    this.lastEntry = now > ms ? { ms: now, sequence: 0 } : { ms, sequence: sequence + 1 };
    events.forEach((message, index) => {
      const id = { ...this.lastEntry, index, last: index === events.length - 1 };
      const bytes = EventStreamMessage.encode({ id: formatMessageId(id), message }).finish();
      this.messages.push({ id, bytes: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength) });
    });
    this.wake();
  }

  /** Appends what was recorded, ids and bytes as they are. */
  appendRecorded(messages: readonly { readonly id: string; readonly bytes: Buffer }[]): void {
    for (const { id: text, bytes } of messages) {
      const id = parseMessageId(text);
      if (id === undefined) throw new Error(`"${text}" is not a message id`);
      this.messages.push({ id, bytes });
      this.lastEntry = { ms: id.ms, sequence: id.sequence };
    }
    this.wake();
  }

  /** Sends the newest messages once more, under new ids: what Armada does after a crash of its own. */
  duplicateNewest(count: number): void {
    if (count === 0) return;
    const events = this.messages.slice(-count).map(({ bytes }) => EventStreamMessage.decode(bytes).message);
    this.append(events.filter((event) => event !== undefined));
  }

  /** Loses the oldest messages, as retention does. */
  forgetOldest(count: number): void {
    const forgotten = Math.min(Math.max(count, 0), this.messages.length);
    this.messages = this.messages.slice(forgotten);
    this.forgotten += forgotten;
  }

  /** Calls `reader` after every append, until the function it gives back is called. */
  onAppend(reader: () => void): () => void {
    this.readers.add(reader);
    return () => this.readers.delete(reader);
  }

  private wake(): void {
    for (const reader of this.readers) reader();
  }
}
