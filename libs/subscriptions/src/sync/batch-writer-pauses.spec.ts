import { MemoryJobStore } from '@ajs/job-store/testing';
import { JobId, MonotonicTime } from '@ajs/job-state';
import { LoopProgress } from '@ajs/platform';
import { ManualClock, eventually } from '@ajs/testing';
import { BatchPacer } from './batch-pacer.js';
import { BatchWriter } from './batch-writer.js';
import { SILENT_OBSERVER } from '../testing/silent-observer.js';
import { ScriptedLease } from '../testing/scripted-lease.js';
import { running } from '../testing/scripted-source.js';

/** A process whose event loop and clock stand still until a spec moves them. */
class StoppedProcess {
  readonly clock = new ManualClock();
  private readonly iterations: (() => void)[] = [];
  readonly pacer = new BatchPacer(this.clock, (act) => this.iterations.push(act));

  iterate(): void {
    this.iterations.shift()?.();
  }

  /** A job set whose writes show how many messages each of them held, and what it said of the subscription. */
  async follow(jobSetId: string) {
    const writer = await new MemoryJobStore().open({ queue: 'q', jobSetId });
    const written: number[] = [];
    const states: string[] = [];
    const write = writer.write.bind(writer);
    writer.write = (batch) => {
      states.push(batch.subscription.state);
      return write(batch);
    };
    const pauses: boolean[] = [];
    const observer = { ...SILENT_OBSERVER, batchWritten: (messages: number) => written.push(messages) };
    const feed = {
      pause: () => pauses.push(true),
      resume: () => pauses.push(false),
      fail: (error: unknown) => {
        throw error;
      },
    };
    const { pacer } = this;
    const progress = new LoopProgress(1_000);
    const batchWriter = new BatchWriter(writer, new ScriptedLease(), observer, feed, progress, pacer);
    let last = 0;
    const accept = (messages: number): void => {
      for (let i = 0; i < messages; i++) batchWriter.accept(running(++last, JobId(`job-${last}`)));
    };
    return { writer, batchWriter, written, states, pauses, accept };
  }
}

/** Lets go by what needs neither time nor an iteration that the pacer watches. */
async function settle(): Promise<void> {
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
}

describe('the pauses of a batch writer', () => {
  it('gather what a job set catches up with into full batches', async () => {
    const { written, accept } = await new StoppedProcess().follow('s');
    accept(499);
    await settle();
    expect(written).toEqual([]);
    accept(1);
    await eventually('it is written', () => written.length > 0);
    accept(30);
    await settle();
    expect(written).toEqual([500]);
  });

  it('end where a job set that catches up has waited for long', async () => {
    const process = new StoppedProcess();
    const { written, accept } = await process.follow('s');
    accept(3);
    await settle();
    process.clock.advance(1_000);
    await eventually('it is written', () => written.length > 0);
    expect(written).toEqual([3]);
  });

  it('go on when the first messages are being read: their batch says so', async () => {
    const process = new StoppedProcess();
    const { batchWriter, written, states, accept } = await process.follow('s');
    batchWriter.report('catching-up', '');
    accept(3);
    await settle();
    expect(states).toEqual([]);
    process.clock.advance(1_000);
    await eventually('it is written', () => written.length > 0);
    expect([written, states]).toEqual([[3], ['catching-up']]);
  });

  it('end when messages are being read again after a failure: what failed is no longer so', async () => {
    const { batchWriter, written, states, accept } = await new StoppedProcess().follow('s');
    batchWriter.report('connecting', 'UNAVAILABLE');
    await batchWriter.flushed();
    batchWriter.report('catching-up', '');
    accept(1);
    await eventually('it is written', () => written.length > 0);
    expect(states).toEqual(['connecting', 'catching-up']);
  });

  it.each(['before', 'after'])('end with the read that brought the messages, %s they began', async (when) => {
    const { batchWriter, written, accept } = await new StoppedProcess().follow('s');
    accept(3);
    if (when === 'after') await settle();
    batchWriter.markSynced(MonotonicTime(1));
    await eventually('it is written', () => written.length > 0);
    expect(written).toEqual([3]);
  });

  it('last while a live job set or another one gets messages', async () => {
    const process = new StoppedProcess();
    const [one, other] = [await process.follow('one'), await process.follow('other')];
    one.batchWriter.report('live', '');
    await one.batchWriter.flushed();
    one.accept(1);
    await settle();
    one.accept(1);
    process.iterate();
    other.accept(1);
    process.iterate();
    await settle();
    expect(one.written).toEqual([]);
    process.iterate();
    await eventually('it is written', () => one.written.length > 0);
    expect(one.written).toEqual([2]);
  });

  it.each(['flushed', 'close'] as const)(
    'are none once what was accepted is to be written: %s',
    async (end) => {
      const { batchWriter, written, accept } = await new StoppedProcess().follow('s');
      accept(3);
      await settle();
      await batchWriter[end]();
      expect(written).toEqual([3]);
    },
  );

  it('leave nothing to be written when it is aborted meanwhile', async () => {
    const { batchWriter, writer, written, accept } = await new StoppedProcess().follow('s');
    let writes = 0;
    const write = writer.write.bind(writer);
    writer.write = (batch) => {
      writes++;
      return write(batch);
    };
    accept(3);
    await settle();
    batchWriter.abort();
    await batchWriter.flushed();
    expect([writes, written]).toEqual([0, []]);
  });

  it('begin again with the batch behind one that failed', async () => {
    const process = new StoppedProcess();
    const { writer, written, accept, batchWriter } = await process.follow('s');
    batchWriter.report('live', '');
    await batchWriter.flushed();
    const write = writer.write.bind(writer);
    const cursors: string[] = [];
    let attempts = 0;
    writer.write = (batch) => {
      cursors.push(batch.cursor);
      return attempts++ === 0 ? Promise.reject(new Error('Connection is closed.')) : write(batch);
    };
    accept(2);
    await settle();
    process.iterate();
    await eventually('a write failed', () => attempts > 0);
    accept(3);
    await eventually('it is written', () => written.length > 0);
    await settle();
    process.iterate();
    await eventually('what came meanwhile is written', () => written.length > 1);
    expect(written).toEqual([2, 3]);
    expect(cursors).toEqual(['2:0:0:1', '2:0:0:1', '5:0:0:1']);
  });
});

describe('messages that wait in a process', () => {
  it('pause the streams of whatever job set gets one more, when they are too many together', async () => {
    const process = new StoppedProcess();
    for (let i = 0; i < 49_999; i++) process.pacer.messageAccepted();
    const { written, pauses, accept } = await process.follow('s');
    accept(1);
    expect(pauses).toEqual([true]);
    await eventually('it is written', () => written.length > 0);
    await eventually('the streams go on', () => pauses.length === 2);
    expect(process.pacer.isFull).toBe(false);
  });

  it('are no more those of a job set that is not written any more', async () => {
    const process = new StoppedProcess();
    for (let i = 0; i < 49_990; i++) process.pacer.messageAccepted();
    const { batchWriter, accept } = await process.follow('s');
    accept(10);
    expect(process.pacer.isFull).toBe(true);
    batchWriter.abort();
    accept(1);
    expect(process.pacer.isFull).toBe(false);
  });
});
