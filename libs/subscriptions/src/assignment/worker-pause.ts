import type { Worker } from 'bullmq';

/**
 * Pauses a worker where Redis answers it with an error, as one that is full does: by itself BullMQ's worker would fetch again at once,
 * thousands of times a second. (It does wait where the connection is lost.)
 */
export class WorkerPause {
  private timer: NodeJS.Timeout | undefined;
  private isStopped = false;

  constructor(worker: Worker, pauseMs: number) {
    worker.on('error', (error) => {
      if (error.name !== 'ReplyError' || this.timer !== undefined || this.isStopped) return;
      // Assignments that have begun go on meanwhile.
      void worker.pause(true);
      this.timer = setTimeout(() => {
        this.timer = undefined;
        void worker.resume();
      }, pauseMs);
    });
  }

  /** The worker is neither paused nor resumed any more: it is about to be closed. */
  stop(): void {
    this.isStopped = true;
    clearTimeout(this.timer);
  }
}
