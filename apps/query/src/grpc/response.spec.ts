import { Metadata, status } from '@grpc/grpc-js';
import { OK_TRAILERS, trailersOf } from './response.js';

it.each(['plain', ' blanks at both ends ', '100 %', '%41', 'two\r\nlines', 'ünï cödé 🚀', '~!"#$&'])(
  'the text of an error arrives as it is, in what a header can carry: %j',
  (details) => {
    const text = String(trailersOf({ code: status.INTERNAL, details })['grpc-message']);
    expect(text).toMatch(/^[!-~]*$/);
    expect(decodeURIComponent(text)).toBe(details);
  },
);

it('a call that ends well has no text, and what else it says', () => {
  expect(trailersOf({ code: status.OK, details: '' })).toBe(OK_TRAILERS);
  const metadata = new Metadata();
  metadata.set('a', 'b');
  expect(trailersOf({ code: status.OK, details: '', metadata })).toEqual({ 'grpc-status': 0, a: 'b' });
});
