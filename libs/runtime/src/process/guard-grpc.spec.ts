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
import { AuthError, acceptAuthorization } from '@ajs/auth';
import { guardGrpc } from './guard-grpc.js';

const SECRET = 'gehe\u00efm-0815';

/** Everything that this process wrote. */
const written: string[] = [];
let server: Server;
let port: number;
/** What handlers saw as authorization, or the refusal. */
const seen: unknown[] = [];

beforeAll(async () => {
  for (const method of ['error', 'warn', 'info', 'log', 'debug'] as const) {
    jest.spyOn(console, method).mockImplementation((...parts) => void written.push(parts.join(' ')));
  }
  for (const stream of [process.stdout, process.stderr]) {
    jest.spyOn(stream, 'write').mockImplementation((chunk) => {
      written.push(String(chunk));
      return true;
    });
  }
  guardGrpc({
    error: (text) => void written.push(`error: ${text}`),
    debug: (text) => void written.push(`debug: ${text}`),
  });
  server = new Server();
  server.addService(
    { health: EventService.health },
    {
      health: ({ metadata }: ServerUnaryCall<unknown, object>, callback: sendUnaryData<object>) => {
        try {
          seen.push(acceptAuthorization(metadata.get('authorization')));
        } catch (error) {
          seen.push(error);
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
  return seen.pop();
}

describe('a header that grpc-js would drop', () => {
  it('leads to a refusal if it is the authorization, and its secret is not logged', async () => {
    const refused = await call({ authorization: `Bearer ${SECRET}` });
    expect(refused).toBeInstanceOf(AuthError);
    expect(refused).toMatchObject({ kind: 'unauthenticated' });
    expect(written.join('\n')).not.toContain('gehe');
  });

  it('is not logged if it is another, either', async () => {
    expect(await call({ 'x-api-key': SECRET })).toBeUndefined();
    expect(written.filter((line) => line.startsWith('debug: grpc-js: Failed to add metadata'))).toHaveLength(
      1,
    );
    expect(written.join('\n')).not.toContain('gehe');
  });

  it('does not include an authorization that is well-formed, or missing', async () => {
    expect(await call({ authorization: 'Bearer abc' })).toBe('Bearer abc');
    expect(await call({})).toBeUndefined();
  });
});
