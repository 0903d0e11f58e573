import { status } from '@grpc/grpc-js';
import { MessageBudget } from './message-budget.js';

let refused: string[];
const budgetOf = (bytes: number): MessageBudget => {
  refused = [];
  return new MessageBudget(bytes, (pool, limit) => refused.push(`${pool} ${limit}`));
};

/** How many bytes the calls of a caller hold when one is refused. */
function flood(budget: MessageBudget, who: string): number {
  for (let held = 0; ; held++) {
    try {
      budget.open(who).hold(1);
    } catch {
      return held;
    }
  }
}

describe('the memory for messages', () => {
  it('is shared: the calls of one caller leave room for those of another', () => {
    const budget = budgetOf(700);
    expect(flood(budget, 'flood')).toBe(525);
    const account = budget.open('another');
    account.hold(100);
    expect(account.bytes).toBe(100);
    expect(refused).toEqual(['message_memory share']);
    expect(() => budget.open('flood').hold(1)).toThrow('share of message memory used up');
  });

  it('is given back by a call that holds less, and by one that has ended, which holds nothing any more', () => {
    const budget = budgetOf(100);
    for (let round = 0; round < 10; round++) {
      const account = budget.open('caller');
      account.hold(75);
      account.hold(10);
      account.hold(75);
      account.close();
      account.hold(50);
      expect(account.bytes).toBe(0);
    }
  });

  it('is refused to a call that holds something, which keeps it', () => {
    const account = budgetOf(100).open('caller');
    account.hold(50);
    expect(() => account.hold(101)).toThrow(
      expect.objectContaining({ code: status.RESOURCE_EXHAUSTED }) as Error,
    );
    expect(account.bytes).toBe(50);
    expect(refused).toEqual(['message_memory total']);
  });

  it('is refused as the share of its caller where as much is left as it wants', () => {
    const account = budgetOf(100).open('caller');
    account.hold(50);
    expect(() => account.hold(100)).toThrow('share of message memory used up');
    expect(refused).toEqual(['message_memory share']);
  });

  it('is refused to all once it is used up, which the text says', () => {
    const budget = budgetOf(100);
    budget.open('one').hold(70);
    budget.open('another').hold(30);
    expect(() => budget.open('third').hold(1)).toThrow(
      'message memory used up: this replica holds at most 100 bytes of messages (MAX_BUFFERED_BYTES)',
    );
  });

  it('has some room more for calls that are refused, shared in the same way, until they end', () => {
    const budget = budgetOf(400);
    budget.open('flood').hold(300);
    const refusals = Array.from({ length: 80 }, () => budget.open('flood'));
    expect(refusals.filter((account) => account.holdForRefusal(1))).toHaveLength(75);
    expect(budget.open('another').holdForRefusal(1)).toBe(true);
    for (const account of refusals) account.close();
    expect(budget.open('flood').holdForRefusal(75)).toBe(true);
  });
});
