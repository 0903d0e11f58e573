import { Metadata, setLogger } from '@grpc/grpc-js';
import { pino } from 'pino';
import { grpcLog } from './grpc-log.js';

describe('what grpc-js logs', () => {
  afterEach(() => setLogger(console));

  it('tells the name of a header that it cannot read, and not its value', () => {
    const lines: string[] = [];
    setLogger(grpcLog(pino({ level: 'trace' }, { write: (line: string) => lines.push(line) })));
    // As it reads the headers of any call.
    Metadata.fromHttp2Headers({ authorization: 'Basic s\u00e9cret' });
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain('authorization');
    expect(lines[0]).not.toMatch(/cret|Basic/);
  });
});
