/** A message on which decoders of protobuf do not agree. */
export interface HostileMessage {
  readonly title: string;
  readonly bytes: Buffer;
  /** What Armada's decoder (gogo 1.3.2) was seen to read: the queue; `undefined` where it rejects the message. */
  readonly queueForArmada: string | undefined;
}

/** A number as protobuf writes it; up to 2^53. */
export function wireVarint(number: number): Buffer {
  const bytes: number[] = [];
  let rest = number;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) + 0x80);
  return Buffer.from([...bytes, rest]);
}

/** A field that holds a text, bytes or a message. */
export function wireField(number: number, value: string | Buffer): Buffer {
  const bytes = Buffer.from(value as string);
  return Buffer.concat([wireVarint(number * 8 + 2), wireVarint(bytes.length), bytes]);
}

/**
 * Messages that hold the queue `b` and also, except where it is the queue's own bytes that differ, the queue `a`.
 *
 * @param queue the number of the field that holds it
 */
export function hostileMessages(queue: number): readonly HostileMessage[] {
  const [a, b] = [wireField(queue, 'a'), wireField(queue, 'b')];
  const tag = queue * 8 + 2;
  const hostile = (
    title: string,
    queueForArmada: string | undefined,
    ...parts: Buffer[]
  ): HostileMessage => ({
    title,
    bytes: Buffer.concat(parts),
    queueForArmada,
  });
  const hex = (bytes: string): Buffer => Buffer.from(bytes, 'hex');
  /** The number of a field that no message has. */
  const unknown = 100 * 8;
  return [
    hostile('a tag of 2^33', 'a', b, wireVarint(2 ** 33), hex('00'), a),
    hostile('a tag of more than 32 bits', 'b', b, wireVarint(2 ** 32 + tag), hex('0161')),
    hostile('a tag of more than 35 bits', 'a', b, wireVarint(2 ** 35 + tag), hex('0161')),
    hostile('a tag of 64 bits', undefined, b, hex('80808080808080808001'), hex('00'), a),
    hostile('a tag longer than need be', 'a', b, Buffer.from([tag + 0x80, 0]), hex('0161')),
    hostile('a tag of seven bytes', 'a', b, Buffer.from([tag + 0x80]), hex('808080808000'), hex('0161')),
    hostile('a field with number 0', undefined, b, hex('0000'), a),
    hostile('a length longer than need be', 'a', Buffer.from([tag]), hex('810061')),
    hostile(
      'a length of more than 32 bits',
      undefined,
      Buffer.from([tag]),
      wireVarint(2 ** 32 + 1),
      hex('61'),
    ),
    hostile('a length beyond the end', undefined, Buffer.from([tag]), hex('0561')),
    hostile('a number that is cut off', undefined, b, hex('80')),
    hostile('the queue twice', 'a', b, a),
    hostile('an end of a group', undefined, b, wireVarint(unknown + 4), a),
    hostile('a group', 'a', b, wireVarint(unknown + 3), b, wireVarint(unknown + 4), a),
    hostile('a group that ends as another one', 'a', b, wireVarint(unknown + 3), wireVarint(unknown + 12), a),
    hostile('a group that holds the queue', 'b', b, wireVarint(unknown + 3), a, wireVarint(unknown + 4)),
    hostile('a group that does not end', undefined, b, wireVarint(unknown + 3), a),
    hostile('the wire type 6', undefined, b, wireVarint(unknown + 6), a),
    hostile('the wire type 7', undefined, b, wireVarint(unknown + 7), a),
    hostile('the queue as a number', undefined, b, Buffer.from([queue * 8, 1])),
    hostile('the queue as four bytes', undefined, b, Buffer.from([queue * 8 + 5]), Buffer.from('abcd')),
    hostile('a queue that is not UTF-8', 'b\ufffd', wireField(queue, hex('62ff'))),
    hostile('a queue with half a surrogate pair', '\ufffd\ufffd\ufffd', wireField(queue, hex('eda080'))),
    hostile('a number of more than 64 bits', 'b', b, wireVarint(unknown), hex('ffffffffffffffffff7f')),
    hostile(
      'a number of more than ten bytes',
      undefined,
      b,
      wireVarint(unknown),
      hex('8080808080808080808001'),
    ),
  ];
}
