import type { ArmadaVerdict } from '@ajs/auth';
import { ManualClock } from '@ajs/testing';
import { status } from '@grpc/grpc-js';
import { WatchPermissions, type LostPermission } from './watch-permissions.js';

const EVERY_MS = 60_000;

let clock: ManualClock;
let answer: () => Promise<ArmadaVerdict>;
let checks: number;
let lost: LostPermission[];
let stop: () => void;

function keep(authorization?: string): void {
  const mayWatch = (): Promise<ArmadaVerdict> => {
    checks++;
    return answer();
  };
  ({ stop } = new WatchPermissions({ mayWatch }, EVERY_MS, clock).keep(authorization, 'q', (why) =>
    lost.push(why),
  ));
}

beforeEach(() => {
  clock = new ManualClock();
  answer = () => Promise.resolve('yes');
  checks = 0;
  lost = [];
});

describe('the permission of an open watch', () => {
  it.each<[string, () => Promise<ArmadaVerdict>]>([
    ['allows it', () => Promise.resolve('yes')],
    ['does not know the queue', () => Promise.resolve('no-queue')],
    ['does not answer', () => Promise.reject(new Error('no answer'))],
  ])('is checked again and again where Armada %s', async (_, given) => {
    answer = given;
    keep();
    await clock.pass(EVERY_MS - 1);
    expect(checks).toBe(0);
    await clock.pass(1 + 2 * EVERY_MS);
    expect([checks, lost]).toEqual([3, []]);
  });

  it.each<[ArmadaVerdict, status]>([
    ['no', status.PERMISSION_DENIED],
    ['bad-credentials', status.UNAUTHENTICATED],
  ])('is lost once, and checked no more, where Armada says %s', async (verdict, code) => {
    answer = () => Promise.resolve(verdict);
    keep('Bearer theirs');
    await clock.pass(3 * EVERY_MS);
    expect(lost).toMatchObject([{ code }]);
    expect([checks, clock.timers]).toEqual([1, 0]);
  });

  it('is lost when the credential expires, between two checks, and Armada is not asked', async () => {
    const claims = Buffer.from(JSON.stringify({ exp: (clock.wall() + 20_000) / 1_000 })).toString(
      'base64url',
    );
    keep(`Bearer e30.${claims}.c2ln`);
    await clock.pass(19_999);
    expect(lost).toEqual([]);
    await clock.pass(1);
    expect(lost).toMatchObject([{ code: status.UNAUTHENTICATED }]);
    expect(checks).toBe(0);
  });

  it('is checked no more once the watch has ended, be it during a check', async () => {
    let say: (verdict: ArmadaVerdict) => void = () => undefined;
    answer = () => new Promise((resolve) => (say = resolve));
    keep();
    await clock.pass(EVERY_MS);
    stop();
    say('yes');
    await clock.pass(3 * EVERY_MS);
    expect([checks, clock.timers]).toEqual([1, 0]);
    keep();
    stop();
    expect(clock.timers).toBe(0);
  });
});
