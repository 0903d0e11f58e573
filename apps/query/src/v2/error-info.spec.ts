import { Metadata, status } from '@grpc/grpc-js';
import { RpcError } from '../rpc-error.js';
import { V2Error, toV2Error, type ErrorReason } from './error-info.js';

it.each<[keyof typeof status, ErrorReason]>([
  ['INVALID_ARGUMENT', 'INVALID_REQUEST'],
  ['UNIMPLEMENTED', 'INVALID_REQUEST'],
  ['UNAUTHENTICATED', 'CREDENTIALS_INVALID'],
  ['PERMISSION_DENIED', 'PERMISSION_DENIED'],
  ['RESOURCE_EXHAUSTED', 'LIMIT_REACHED'],
  ['OUT_OF_RANGE', 'RESUME_TOKEN_EXPIRED'],
  ['UNAVAILABLE', 'UNAVAILABLE'],
  ['DEADLINE_EXCEEDED', 'DEADLINE_EXCEEDED'],
  ['CANCELLED', 'CANCELLED'],
  ['INTERNAL', 'INTERNAL'],
])('an error with code %s has the reason %s', (code, reason) => {
  expect(toV2Error(new RpcError(status[code], 'why'))).toMatchObject({
    code: status[code],
    reason,
    details: 'why',
  });
});

it('an error that has a reason of its own keeps it', () => {
  const error = new V2Error(status.OUT_OF_RANGE, 'PAGE_TOKEN_EXPIRED', 'why');
  expect(toV2Error(error)).toBe(error);
});

it('an error keeps its trailers, which others may share, beside its reason', () => {
  const trailers = new Metadata();
  trailers.set('resume-token', 't');
  const { metadata } = toV2Error(new RpcError(status.UNAVAILABLE, 'why', trailers));
  expect(Object.keys(metadata?.getMap() ?? {})).toEqual(['resume-token', 'grpc-status-details-bin']);
  expect(Object.keys(trailers.getMap())).toEqual(['resume-token']);
});

it('the status in its trailers repeats code and text', () => {
  const { metadata } = new V2Error(status.NOT_FOUND, 'QUEUE_NOT_FOUND', 'there is no queue');
  const [details] = metadata?.get('grpc-status-details-bin') ?? [];
  const head = Buffer.from([0x08, status.NOT_FOUND, 0x12, 'there is no queue'.length]);
  expect((details as Buffer).indexOf(Buffer.concat([head, Buffer.from('there is no queue')]))).toBe(0);
});
