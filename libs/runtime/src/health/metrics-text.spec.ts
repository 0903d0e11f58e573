import { MonotonicTime } from '@ajs/job-state';
import { MetricsText } from './metrics-text.js';

let now: number;
let made: ((text: string) => void)[];
let text: MetricsText;

beforeEach(() => {
  now = 5_000;
  made = [];
  const registry = { metrics: () => new Promise<string>((resolve) => made.push(resolve)) };
  text = new MetricsText(registry, () => MonotonicTime(now));
});

describe('the text of the metrics', () => {
  it('is made once for all who request it within a second', async () => {
    const first = text.read();
    made[0]?.('a 1');
    expect(await first).toBe('a 1');
    now += 999;
    const again = text.read();
    expect(made).toHaveLength(1);
    expect(await again).toBe('a 1');
    now += 1;
    const next = text.read();
    made[1]?.('a 2');
    expect(await next).toBe('a 2');
  });

  it('that could not be made is made again after a second', async () => {
    let makes = () => Promise.reject<string>(new Error('a gauge has failed'));
    text = new MetricsText({ metrics: () => makes() }, () => MonotonicTime(now));
    await expect(text.read()).rejects.toThrow('a gauge has failed');
    makes = () => Promise.resolve('a 1');
    now += 1_000;
    expect(await text.read()).toBe('a 1');
  });

  it('is not made again while it is being made, however long that takes', async () => {
    const first = text.read();
    made[0]?.('a 1');
    await first;
    now += 1_000;
    const second = text.read();
    now += 10_000;
    const third = text.read();
    expect(made).toHaveLength(2);
    made[1]?.('a 2');
    expect(await Promise.all([second, third])).toEqual(['a 2', 'a 2']);
  });
});
