/** gRPC's units of time, in milliseconds. */
const UNITS: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1_000,
  m: 1,
  u: 1e-3,
  n: 1e-6,
};

/** The text of an error for a `grpc-timeout` that is none. */
export const INVALID_TIMEOUT =
  'invalid grpc-timeout header: must be up to 8 digits and one of H, M, S, m, u, n, such as 10S or 500m';

/** The time of a `grpc-timeout` header, such as `10S` or `500m`, in milliseconds; `undefined` where the text is none. */
export function timeoutMsOf(header: string): number | undefined {
  const [, digits, unit] = /^(\d{1,8})([HMSmun])$/.exec(header) ?? [];
  const unitMs = UNITS[unit ?? ''];
  return digits === undefined || unitMs === undefined ? undefined : Number(digits) * unitMs;
}
