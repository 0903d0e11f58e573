import { jest } from '@jest/globals';
import { connect } from 'node:http2';
import { once } from 'node:events';
import { EventService } from '@ajs/contracts/api/event';
import {
  Server,
  ServerCredentials,
  setLogger,
  type ServerUnaryCall,
  type sendUnaryData,
} from '@grpc/grpc-js';
import { AuthError, acceptAuthorization, guardGrpc } from './index.js';

const SECRET = 'gehe\u00efm-0815';

/** What every way out of this process was told. */
const told: string[] = [];
let server: Server;
let port: number;
/** What handlers were given, or how it was refused. */
const shown: unknown[] = [];

beforeAll(async () => {
  for (const method of ['error', 'warn', 'info', 'log', 'debug'] as const) {
    jest.spyOn(console, method).mockImplementation((...parts) => void told.push(parts.join(' ')));
  }
  for (const stream of [process.stdout, process.stderr]) {
    jest.spyOn(stream, 'write').mockImplementation((chunk) => {
      told.push(String(chunk));
      return true;
    });
  }
  guardGrpc({
    error: (text) => void told.push(`error: ${text}`),
    debug: (text) => void told.push(`debug: ${text}`),
  });
  server = new Server();
  server.addService(
    { health: EventService.health },
    {
      health: ({ metadata }: ServerUnaryCall<unknown, object>, callback: sendUnaryData<object>) => {
        try {
          shown.push(acceptAuthorization(metadata.get('authorization')));
        } catch (error) {
          shown.push(error);
        }
        callback(null, {});
      },
    },
  );
  port = await new Promise((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
});

afterAll(() => {
  server.forceShutdown();
  setLogger(console);
  jest.restoreAllMocks();
});

/** Calls as no gRPC library would. */
async function call(headers: Record<string, string>): Promise<unknown> {
  const session = connect(`http://127.0.0.1:${port}`);
  const stream = session.request({
    ':method': 'POST',
    ':path': EventService.health.path,
    'content-type': 'application/grpc',
    te: 'trailers',
    ...headers,
  });
  stream.end(Buffer.alloc(5));
  stream.resume();
  await once(stream, 'close');
  session.close();
  return shown.pop();
}

describe('a caller whose header grpc-js would drop', () => {
  it('is refused, not taken for one without credentials, and its secret goes nowhere', async () => {
    const refused = await call({ authorization: `Bearer ${SECRET}` });
    expect(refused).toBeInstanceOf(AuthError);
    expect(refused).toMatchObject({ kind: 'unauthenticated' });
    expect(told.join('\n')).not.toContain('gehe');
  });

  it('keeps other secrets to itself, too', async () => {
    expect(await call({ 'x-api-key': SECRET })).toBeUndefined();
    expect(told.filter((line) => line.startsWith('debug: grpc-js: Failed to add metadata'))).toHaveLength(1);
    expect(told.join('\n')).not.toContain('gehe');
  });

  it('is heard where its authorization is well-formed, or missing', async () => {
    expect(await call({ authorization: 'Bearer abc' })).toBe('Bearer abc');
    expect(await call({})).toBeUndefined();
  });
});
