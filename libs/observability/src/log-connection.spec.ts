import { EventEmitter } from 'node:events';
import { ManualClock } from '@ajs/testing';
import { createLog } from './log.js';
import { logConnection } from './log-connection.js';

let connection: EventEmitter;
let clock: ManualClock;
let lines: { readonly level: string; readonly msg: string; readonly err?: { readonly message: string } }[];

beforeEach(() => {
  connection = new EventEmitter();
  clock = new ManualClock();
  lines = [];
  const log = createLog('app', 'info', {
    write: (line: string) => lines.push(JSON.parse(line) as (typeof lines)[number]),
  });
  logConnection(connection, log, clock);
});

describe('the log of the connection to Redis', () => {
  it('has one line when it comes and one, with the cause, when it has gone, whatever the attempts between', () => {
    connection.emit('ready');
    for (let i = 0; i < 5; i++) {
      connection.emit('error', new Error(`attempt ${i}`));
      connection.emit('close');
      clock.advance(500);
    }
    connection.emit('ready');
    expect(lines).toMatchObject([
      { level: 'info', msg: 'connected to Redis' },
      { level: 'warn', msg: 'Redis is unavailable; reconnecting', err: { message: 'attempt 1' } },
      { level: 'info', msg: 'connected to Redis' },
    ]);
  });

  it('has none for a connection that is replaced within a second', () => {
    connection.emit('ready');
    for (let i = 0; i < 100; i++) {
      connection.emit('close');
      clock.advance(900);
      connection.emit('ready');
      clock.advance(900);
    }
    expect(lines).toHaveLength(1);
  });

  it('has no cause from before the connection was last there', () => {
    connection.emit('error', new Error('an old one'));
    connection.emit('ready');
    connection.emit('close');
    clock.advance(1_000);
    expect(lines.at(-1)).toMatchObject({ msg: 'Redis is unavailable; reconnecting' });
    expect(lines.at(-1)?.err).toBeUndefined();
  });

  it('has none for a connection that this process closes', () => {
    connection.emit('ready');
    connection.emit('close');
    connection.emit('end');
    clock.advance(10_000);
    expect(lines).toHaveLength(1);
  });
});
