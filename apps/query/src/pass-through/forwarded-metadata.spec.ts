import { Metadata } from '@grpc/grpc-js';
import { towardsArmada, towardsCaller } from './forwarded-metadata.js';

const OF_ONE_HOP = [
  'accept-encoding',
  'connection',
  'content-length',
  'content-type',
  'host',
  'http2-settings',
  'keep-alive',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'user-agent',
];
const OF_ENCODING_AND_END = ['grpc-accept-encoding', 'grpc-encoding', 'grpc-message', 'grpc-status'];

function withKeys(...keys: string[]): Metadata {
  const metadata = new Metadata({ waitForReady: true });
  for (const key of keys) metadata.set(key, key.endsWith('-bin') ? Buffer.from('v') : 'v');
  return metadata;
}

const keysOf = (metadata: Metadata): string[] => Object.keys(metadata.getMap());

describe('forwarded metadata', () => {
  it('has no header of one hop, in either direction, and all others', () => {
    const metadata = withKeys(...OF_ONE_HOP, 'authorization', 'x-own', 'x-own-bin');
    for (const towards of [towardsArmada, towardsCaller]) {
      expect(keysOf(towards(metadata))).toEqual(['authorization', 'x-own', 'x-own-bin']);
    }
    expect(keysOf(metadata)).toHaveLength(OF_ONE_HOP.length + 3);
  });

  it('has none of gRPC’s own towards Armada, and towards the caller the details of a status alone', () => {
    const details = 'grpc-status-details-bin';
    const metadata = withKeys(...OF_ENCODING_AND_END, 'grpc-timeout', details, 'x-own');
    expect(keysOf(towardsArmada(metadata))).toEqual(['x-own']);
    expect(keysOf(towardsCaller(metadata))).toEqual(['grpc-timeout', details, 'x-own']);
  });

  it('has none of the options of the hop before', () => {
    for (const towards of [towardsArmada, towardsCaller])
      expect(towards(withKeys('x-own')).getOptions()).toEqual({});
  });
});
