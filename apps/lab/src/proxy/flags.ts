/** How the end of a request is told: status, Envoy's response flag and details, and the body of a local reply. */
import type { TryFailure } from "./retry.ts";

export interface LocalReply {
  readonly status: number;
  readonly flag: string;
  readonly details: string;
  readonly body: string;
}

const reset = "upstream connect error or disconnect/reset before headers. reset reason:";

export function replyFor(failure: TryFailure, message: string): LocalReply {
  switch (failure) {
    case "overflow":
      return reply(
        503,
        "UO",
        "upstream_reset_before_response_started{overflow}",
        `${reset} overflow`,
      );
    case "connect": {
      const details = `upstream_reset_before_response_started{remote_connection_failure|${message.replaceAll(" ", "_")}}`;
      const body = `${reset} remote connection failure, transport failure reason: ${message}`;
      return reply(503, "UF", details, body);
    }
    case "reset":
      return reply(
        503,
        "UC",
        "upstream_reset_before_response_started{connection_termination}",
        `${reset} connection termination`,
      );
    case "no-host":
      return reply(503, "UH", "no_healthy_upstream", "no healthy upstream");
    case "per-try-timeout":
      return reply(504, "UT", "upstream_per_try_timeout", "upstream request timeout");
    case "timeout":
      return reply(504, "UT", "response_timeout", "upstream request timeout");
    case "left":
      return reply(0, "DC", "downstream_remote_disconnect", "");
  }
}

function reply(status: number, flag: string, details: string, body: string): LocalReply {
  return { status, flag, details, body };
}

export const routeNotFound: LocalReply = reply(404, "NR", "route_not_found", "");
export const clusterNotFound: LocalReply = reply(503, "NC", "cluster_not_found", "");

export function faultAborted(status: number): LocalReply {
  return reply(status, "FI", "fault_filter_abort", "fault filter abort");
}
