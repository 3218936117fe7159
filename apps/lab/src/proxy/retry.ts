/** When a try is worth another (Envoy's `x-envoy-retry-on` conditions), and how long to wait before it. */
import { headerOf, type HttpResponse } from "../http/message.ts";
import type { RetryPolicy } from "./config.ts";

export type TryFailure =
  | "overflow"
  | "connect"
  | "reset"
  | "no-host"
  | "per-try-timeout"
  | "timeout"
  | "left";

export type TryOutcome =
  | { readonly kind: "response"; readonly response: HttpResponse }
  | { readonly kind: "failure"; readonly failure: TryFailure; readonly message: string };

/** What Istio sets where a VirtualService says nothing. */
export const istioRetryDefaults: RetryPolicy = {
  attempts: 2,
  perTryTimeoutMs: 0,
  retryOn: ["connect-failure", "refused-stream", "unavailable", "cancelled", "503"],
};

export function worthRetrying(policy: RetryPolicy, outcome: TryOutcome): boolean {
  return policy.retryOn.some((condition) =>
    outcome.kind === "response"
      ? responseMatches(condition, outcome.response)
      : failureMatches(condition, outcome.failure),
  );
}

function responseMatches(condition: string, response: HttpResponse): boolean {
  const { status } = response;
  switch (condition) {
    case "5xx":
      return status >= 500;
    case "gateway-error":
      return status >= 502 && status <= 504;
    case "retriable-4xx":
      return status === 409;
    // gRPC's answers; they come in trailers-only responses.
    case "cancelled":
      return headerOf(response.headers, "grpc-status") === "1";
    case "deadline-exceeded":
      return headerOf(response.headers, "grpc-status") === "4";
    case "unavailable":
      return headerOf(response.headers, "grpc-status") === "14";
    default:
      return condition === String(status);
  }
}

function failureMatches(condition: string, failure: TryFailure): boolean {
  // An overflow or an empty cluster is this proxy's own refusal, a passed deadline leaves no time.
  if (failure === "overflow" || failure === "no-host") return false;
  if (failure === "timeout" || failure === "left") return false;
  switch (condition) {
    case "5xx":
    case "gateway-error":
      return true;
    case "reset":
    case "reset-before-request":
      return failure !== "per-try-timeout" || condition === "reset";
    case "connect-failure":
      return failure === "connect";
    default:
      return false;
  }
}

/** Full jitter over 25 ms × (2^n − 1), at most 250 ms, as Envoy. `retry`: 1 for the first. */
export function backoffMs(retry: number, random: () => number): number {
  return Math.min(250, 25 * (2 ** retry - 1)) * random();
}
