import type { Metadata } from '@grpc/grpc-js';

/** Headers of one connection, or that each hop sets itself. */
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

/** gRPC's own headers of one hop: how its messages are encoded, and how its call ended. */
const GRPC_OF_ANSWERS = new Set(['grpc-accept-encoding', 'grpc-encoding', 'grpc-message', 'grpc-status']);

/** The caller's metadata, for Armada. */
export function towardsArmada(metadata: Metadata): Metadata {
  return without(metadata, (key) => isHopByHop(key) || key.startsWith('grpc-'));
}

/** Armada's initial or trailing metadata, for the caller: `grpc-status-details-bin` is part of the status. */
export function towardsCaller(metadata: Metadata): Metadata {
  return without(metadata, (key) => isHopByHop(key) || GRPC_OF_ANSWERS.has(key));
}

function isHopByHop(key: string): boolean {
  return HOP_BY_HOP.has(key) || key.startsWith('proxy-');
}

function without(metadata: Metadata, isDropped: (key: string) => boolean): Metadata {
  const kept = metadata.clone();
  for (const key of Object.keys(metadata.getMap())) if (isDropped(key)) kept.remove(key);
  // Options such as waitForReady are each hop's own.
  kept.setOptions({});
  return kept;
}
