import { completesWithin } from '@ajs/platform';
import { LeaseLostError } from '../sync/lease.js';
import { AssignmentLease } from './assignment-lease.js';

describe('the lease of an assignment', () => {
  it('is held again by another term once it has expired', async () => {
    const lease = new AssignmentLease();
    lease.begin({ isHeld: () => false });
    const held = lease.whenHeld();
    expect(lease.isHeld()).toBe(false);
    lease.begin({ isHeld: () => true });
    await held;
    expect(lease.isHeld()).toBe(true);
  });

  it('is held again when its renewal comes late', async () => {
    const lease = new AssignmentLease();
    const term = { held: false, isHeld: () => term.held };
    lease.begin(term);
    const held = lease.whenHeld();
    term.held = true;
    await held;
  });

  it('never comes back once it has ended', async () => {
    const lease = new AssignmentLease();
    const held = lease.whenHeld();
    lease.end();
    lease.begin({ isHeld: () => true });
    await expect(completesWithin(30_000, held)).rejects.toThrow(LeaseLostError);
    expect(lease.isHeld()).toBe(false);
  });
});
