import { ArmadaHealth } from './armada-health.js';

describe("Armada's health", () => {
  let now: number;
  let probes: number;
  let answer: () => Promise<void>;
  let health: ArmadaHealth;
  beforeEach(() => {
    now = 0;
    probes = 0;
    answer = () => Promise.resolve();
    health = new ArmadaHealth(
      () => {
        probes++;
        return answer();
      },
      () => now,
    );
  });

  it('is requested when it is needed, and the answer reused for 2 s', async () => {
    expect(probes).toBe(0);
    expect(await health.isHealthy()).toBe(true);
    now += 1_999;
    expect(await health.isHealthy()).toBe(true);
    expect(probes).toBe(1);
    now += 1;
    expect(await health.isHealthy()).toBe(true);
    expect(probes).toBe(2);
  });

  it('is judged by the time that passes where no other clock is given', async () => {
    expect(await new ArmadaHealth(() => Promise.resolve()).isHealthy()).toBe(true);
  });

  it('is requested once for all who ask while there is no answer yet', async () => {
    let end = (): void => undefined;
    answer = () => new Promise((resolve) => (end = resolve));
    const all = [health.isHealthy(), health.isHealthy()];
    end();
    expect(await Promise.all(all)).toEqual([true, true]);
    expect(probes).toBe(1);
  });

  it('is bad where Armada gives no answer, and good again by the next one that it gives', async () => {
    answer = () => Promise.reject(new Error('UNAVAILABLE'));
    expect(await health.isHealthy()).toBe(false);
    answer = () => Promise.resolve();
    now += 1_999;
    expect(await health.isHealthy()).toBe(false);
    now += 1;
    expect(await health.isHealthy()).toBe(true);
  });
});
