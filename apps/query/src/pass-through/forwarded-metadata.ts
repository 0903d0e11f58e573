import type { Metadata } from '@grpc/grpc-js';

/** Headers that belong to one connection, or that each hop makes for itself. */
const HOP_BY_HOP = new Set([
  'accept-encoding',
  'connection',
  'content-length',
  'content-type',
  'host',
  'http2-settings',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'user-agent',
]);

/** gRPC's own, that say how this hop's messages are encoded and how this hop's call ended. */
const GRPC_OF_ANSWERS = new Set(['grpc-accept-encoding', 'grpc-encoding', 'grpc-message', 'grpc-status']);

/** The caller's metadata as Armada is to see it. */
export function towardsArmada(metadata: Metadata): Metadata {
  return without(metadata, (key) => isHopByHop(key) || key.startsWith('grpc-'));
}

/** Armada's initial or trailing metadata as the caller is to see it: `grpc-status-details-bin` is part of a status. */
export function towardsCaller(metadata: Metadata): Metadata {
  return without(metadata, (key) => isHopByHop(key) || GRPC_OF_ANSWERS.has(key));
}

function isHopByHop(key: string): boolean {
  return HOP_BY_HOP.has(key) || key.startsWith('proxy-');
}

function without(metadata: Metadata, isDropped: (key: string) => boolean): Metadata {
  const kept = metadata.clone();
  for (const key of Object.keys(metadata.getMap())) if (isDropped(key)) kept.remove(key);
  // Whether a call waits for a connection is between each hop and its server.
  kept.setOptions({});
  return kept;
}
