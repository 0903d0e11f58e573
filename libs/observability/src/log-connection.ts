import type { Log } from './log.js';

/** As much of a client as tells whether it has its server. */
interface Connection {
  on(event: 'ready' | 'close', listener: () => void): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
}

/** Logs one line when Redis is there, and one when it is away, however often connecting fails meanwhile. */
export function logConnection(connection: Connection, log: Log): void {
  let state: 'unknown' | 'there' | 'away' = 'unknown';
  const away = (error?: Error): void => {
    if (state !== 'away') log.warn({ err: error }, 'Redis is away; connecting again until it is back');
    state = 'away';
  };
  connection.on('error', away);
  connection.on('close', () => away());
  connection.on('ready', () => {
    if (state !== 'there') log.info('connected to Redis');
    state = 'there';
  });
}
