import fc, { type Arbitrary } from 'fast-check';
import { METHODS, anyBytes } from './messages.js';

type Headers = Readonly<Record<string, string>>;

/** An HTTP/2 stream to the gRPC port. */
export interface GrpcAttack {
  readonly kind: 'grpc';
  readonly path: string;
  readonly headers: Headers;
  readonly body: Buffer;
  /** Whether the body is framed as a gRPC message. */
  readonly framed: boolean;
  /** Whether the client half-closes the stream. */
  readonly ended: boolean;
}

export interface HttpAttack {
  readonly kind: 'http';
  readonly method: string;
  readonly path: string;
  readonly headers: Headers;
  readonly body: Buffer;
}

/** Bytes that need not be a request at all. */
export interface BytesAttack {
  readonly kind: 'bytes';
  readonly port: 'grpc' | 'http';
  readonly bytes: Buffer;
}

export type Attack = GrpcAttack | HttpAttack | BytesAttack;

/** Methods of the query that are not in our protos. */
const OTHER_PATHS = [
  '/grpc.health.v1.Health/Check',
  '/grpc.health.v1.Health/Watch',
  '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo',
  '/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo',
];

/** Any text that HTTP allows in a header. */
const headerText = fc
  .array(fc.integer({ min: 0x20, max: 0xff }), { maxLength: 60 })
  .map((codes) => String.fromCharCode(...codes.filter((code) => code !== 0x7f)).trim());

const authorization = fc.oneof(
  headerText,
  fc
    .tuple(
      fc.constantFrom('basic', 'Basic', 'bearer', 'Bearer', 'KubernetesAuth', 'basi\u017f'),
      fc.base64String(),
    )
    .map(([scheme, credential]) => `${scheme.replace('\u017f', '\xff')} ${credential}`),
  // Well-formed credentials of unknown users.
  fc.string({ maxLength: 20 }).map((text) => `Basic ${Buffer.from(`${text}:`).toString('base64')}`),
);

const callHeaders: Arbitrary<Headers> = fc.record(
  {
    authorization,
    'content-type': fc.oneof(
      { weight: 9, arbitrary: fc.constant('application/grpc') },
      { weight: 1, arbitrary: headerText },
    ),
    'grpc-timeout': fc.oneof(fc.constantFrom('1S', '10m', '0n', '99999999H', '-1S', '1'), headerText),
    'grpc-encoding': fc.constantFrom('identity', 'gzip', 'deflate', 'snappy', ''),
    'x-any': headerText,
    'x-any-bin': fc.oneof(fc.base64String(), headerText),
  },
  { requiredKeys: ['content-type'] },
);

const grpcAttack: Arbitrary<GrpcAttack> = fc
  .oneof(
    {
      weight: 6,
      arbitrary: fc
        .constantFrom(...METHODS)
        .chain(({ path, request }) => fc.tuple(fc.constant(path), fc.oneof(request, anyBytes))),
    },
    { weight: 2, arbitrary: fc.tuple(fc.constantFrom(...OTHER_PATHS), anyBytes) },
    { weight: 1, arbitrary: fc.tuple(fc.webPath(), anyBytes) },
  )
  .chain(([path, body]) =>
    fc.record({
      kind: fc.constant('grpc' as const),
      path: fc.constant(path === '' ? '/' : path),
      headers: callHeaders,
      body: fc.constant(body),
      framed: fc.boolean(),
      ended: fc.boolean(),
    }),
  );

const jobsPaths = [
  '/v1/job/status',
  '/v1/job/statusUsingExternalJobUri',
  '/v1/job/details',
  '/v1/job/errors',
  '/v1/run/details',
  '/v1/queues/active',
];
const otherPaths = [
  '/healthz',
  '/readyz',
  '/metrics',
  '/openapi.json',
  '/docs',
  '/docs/start.js',
  '/docs/../../main.js',
  '/docs/%2e%2e/main.js',
];

const almostRequest = fc.record(
  {
    jobIds: fc.oneof(fc.array(fc.string({ unit: 'binary' })), fc.jsonValue()),
    runIds: fc.oneof(fc.array(fc.string()), fc.jsonValue()),
    queue: fc.oneof(fc.string({ unit: 'binary' }), fc.jsonValue()),
    jobset: fc.oneof(fc.string(), fc.jsonValue()),
    externalJobUri: fc.oneof(fc.string(), fc.jsonValue()),
    expandJobSpec: fc.oneof(fc.boolean(), fc.jsonValue()),
  },
  { requiredKeys: [] },
);

const httpBody: Arbitrary<Buffer> = fc.oneof(
  almostRequest.map((request) => Buffer.from(JSON.stringify(request))),
  fc.json().map((text) => Buffer.from(text)),
  fc
    .constantFrom('['.repeat(100_000), '{"jobIds":["\\ud800"]}', '{"__proto__":{"a":1}}')
    .map((text) => Buffer.from(text)),
  anyBytes,
);

const httpAttack: Arbitrary<HttpAttack> = fc.record({
  kind: fc.constant('http' as const),
  method: fc.oneof(
    { weight: 5, arbitrary: fc.constant('POST') },
    fc.constantFrom('GET', 'PUT', 'HEAD', 'DELETE', 'OPTIONS'),
  ),
  path: fc.oneof(
    { weight: 5, arbitrary: fc.constantFrom(...jobsPaths) },
    { weight: 1, arbitrary: fc.constantFrom(...otherPaths) },
    { weight: 1, arbitrary: fc.webPath({ size: 'small' }).map((path) => `/${path}`) },
  ),
  headers: fc.record(
    {
      authorization,
      'content-type': fc.oneof(fc.constant('application/json'), headerText),
      'grpc-timeout': fc.oneof(fc.constantFrom('1S', '10m', '1'), headerText),
      accept: fc.oneof(fc.constantFrom('application/json;profile=proto3', '*/*'), headerText),
      'x-any': headerText,
    },
    { requiredKeys: [] },
  ),
  body: httpBody,
});

const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';

const bytesAttack: Arbitrary<BytesAttack> = fc.record({
  kind: fc.constant('bytes' as const),
  port: fc.constantFrom('grpc' as const, 'http' as const),
  bytes: fc
    .tuple(fc.constantFrom('', PREFACE, 'POST /v1/job/status HTTP/1.1\r\nHost: a\r\n'), anyBytes)
    .map(([begin, rest]) => Buffer.concat([Buffer.from(begin), rest])),
});

/** The same seed gives the same attacks. */
export function attacks(seed: number, number: number): Attack[] {
  const any = fc.oneof(
    { weight: 6, arbitrary: grpcAttack },
    { weight: 3, arbitrary: httpAttack },
    { weight: 1, arbitrary: bytesAttack },
  );
  return fc.sample<Attack>(any, { seed, numRuns: number });
}
