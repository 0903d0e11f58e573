import type { Worker } from 'bullmq';

/**
 * Has a worker rest where Redis answers it with an error, as one that is full does: by itself BullMQ's worker would ask again at
 * once, thousands of times a second. (It does wait where the connection is lost.)
 */
export class WorkerPause {
  private timer: NodeJS.Timeout | undefined;
  private isOver = false;

  constructor(worker: Worker, restMs: number) {
    worker.on('error', (error) => {
      if (error.name !== 'ReplyError' || this.timer !== undefined || this.isOver) return;
      // What has begun goes on meanwhile.
      void worker.pause(true);
      this.timer = setTimeout(() => {
        this.timer = undefined;
        void worker.resume();
      }, restMs);
    });
  }

  /** The worker rests no more, and is not woken: it is about to be closed. */
  stop(): void {
    this.isOver = true;
    clearTimeout(this.timer);
  }
}
