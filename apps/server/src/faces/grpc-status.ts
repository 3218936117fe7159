/** Expected failures as gRPC's codes. Source: grpc.io/docs/guides/status-codes; for OTLP's use, the OTLP specification. */

const codes: Readonly<Record<string, number>> = {
  cancelled: 1,
  timeout: 4,
  "not-found": 5,
  forbidden: 7,
  "wrong-origin": 7,
  "too-large": 8,
  limit: 8,
  overloaded: 8,
  internal: 13,
  unavailable: 14,
  "disk-full": 14,
  unauthenticated: 16,
};

/** What is wrong with the request itself is INVALID_ARGUMENT, as OTLP asks: exporters drop it instead of repeating it. */
export function grpcCodeOf(code: string): number {
  return codes[code] ?? 3;
}

/** Whether the same request may pass later. */
export function isRetryable(code: string): boolean {
  return code === "overloaded" || code === "unavailable" || code === "disk-full";
}
