/** A queue whose items are taken from one caller after the other, so that nobody waits for all that somebody else has queued. */
export class FairQueue<T> {
  /** In the order of their turns. */
  private readonly queues = new Map<string, T[]>();

  add(who: string, item: T): void {
    const queue = this.queues.get(who);
    if (queue === undefined) this.queues.set(who, [item]);
    else queue.push(item);
  }

  /** Takes the oldest item of the caller whose turn it is; `undefined` where there is none. */
  next(): T | undefined {
    for (const [who, queue] of this.queues) {
      this.queues.delete(who);
      const item = queue.shift();
      if (queue.length > 0) this.queues.set(who, queue);
      return item;
    }
    return undefined;
  }
}
