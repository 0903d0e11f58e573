import { sharedBytes } from './shared-bytes.js';

const KEY = { queue: 'q', jobSetId: 's' };

it('bytes of the same events are made once, however many streams send them', () => {
  let made = 0;
  const toBytes = sharedBytes((_, events) => {
    made++;
    return Buffer.from(events.map(({ token }) => token).join());
  });
  const events = [{ kind: 'snapshot-end', token: 't' }] as const;
  const [first, second] = [toBytes(KEY, events), toBytes(KEY, events)];
  expect([made, first === second, first.toString()]).toEqual([1, true, 't']);
  expect(toBytes(KEY, [...events])).toEqual(first);
  expect(made).toBe(2);
});
