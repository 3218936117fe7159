/**
 * One HTTP request at a proxy, from the caller's side: reads it, answers it, and reports its end exactly once to
 * metrics, access log and trace.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import {
  headerBytes,
  headerOf,
  type Headers,
  hopHeaders,
  noBody,
  withoutHeaders,
} from "../http/message.ts";
import { preciseNowMs } from "../telemetry/clock.ts";
import {
  extractTrace,
  newRequestId,
  newSpanId,
  newTraceId,
  type TraceContext,
} from "../telemetry/trace-context.ts";
import { accessLogLine } from "./access-log.ts";
import type { ServiceIdentity, WorkloadIdentity } from "./config.ts";
import { Departure } from "./departure.ts";
import type { LocalReply } from "./flags.ts";
import type { ProxyState } from "./proxy-state.ts";
import type { RequestReport } from "./request-report.ts";

export interface Ending {
  readonly status: number;
  readonly flags: readonly string[];
  readonly details: string;
  readonly headers: Headers;
  readonly body: Buffer;
  readonly transportFailure?: string | undefined;
}

/** What is learned about the request on its way. */
export interface Passage {
  routeName: string;
  upstreamCluster: string;
  operation: string;
  service: ServiceIdentity;
  peer: Partial<WorkloadIdentity>;
  mutualTls: boolean;
  upstreamHost: string | undefined;
  upstreamLocalAddress: string | undefined;
  upstreamServiceTimeMs: number | undefined;
  requestedServerName: string | undefined;
}

export class Exchange {
  readonly startMs = preciseNowMs();
  readonly left = new Departure();
  readonly parent: TraceContext | undefined;
  readonly trace: TraceContext;
  readonly headers: Headers;
  readonly requestId: string;
  readonly authority: string;
  readonly passage: Passage;
  body: Buffer = noBody;
  readonly #state: ProxyState;
  readonly #reporter: "source" | "destination";
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  #ended = false;

  constructor(
    state: ProxyState,
    reporter: "source" | "destination",
    request: IncomingMessage,
    response: ServerResponse,
  ) {
    this.#state = state;
    this.#reporter = reporter;
    this.#request = request;
    this.#response = response;
    this.headers = request.rawHeaders;
    this.authority = headerOf(this.headers, "host") ?? "";
    this.requestId = headerOf(this.headers, "x-request-id") ?? newRequestId();
    this.parent = extractTrace(this.headers);
    this.trace = {
      traceId: this.parent?.traceId ?? newTraceId(),
      spanId: newSpanId(),
      sampled: this.parent?.sampled ?? state.options.random() < state.config.traceSampling,
    };
    const unknown = { host: "unknown", name: "unknown", namespace: "unknown" };
    this.passage = {
      routeName: "",
      upstreamCluster: "",
      operation: this.authority,
      service: unknown,
      peer: {},
      mutualTls: false,
      upstreamHost: undefined,
      upstreamLocalAddress: undefined,
      upstreamServiceTimeMs: undefined,
      requestedServerName: undefined,
    };
    state.activeRequests++;
    response.once("close", () => {
      if (!response.writableFinished) this.left.happen();
    });
  }

  get method(): string {
    return this.#request.method ?? "GET";
  }

  get path(): string {
    return this.#request.url ?? "/";
  }

  replyLocally(reply: LocalReply, extraFlags: readonly string[] = []): void {
    const body = Buffer.from(reply.body);
    this.end({
      status: reply.status,
      flags: [...extraFlags, reply.flag],
      details: reply.details,
      headers: body.length === 0 ? [] : ["content-type", "text/plain"],
      body,
      ...(reply.flag === "UF" ? { transportFailure: reply.body.split("reason: ").at(-1) } : {}),
    });
  }

  /** Answers the caller (unless it left: status 0) and reports. */
  end(ending: Ending): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#state.activeRequests--;
    if (ending.status > 0 && !this.#response.destroyed) this.#write(ending);
    else this.#response.destroy();
    this.#report(ending);
  }

  #write(ending: Ending): void {
    const headers = withoutHeaders(ending.headers, hopHeaders);
    if (this.#state.draining) headers.push("connection", "close");
    const bodyless = ending.status === 204 || ending.status === 304 || this.method === "HEAD";
    if (!bodyless) headers.push("content-length", String(ending.body.length));
    this.#response.writeHead(ending.status, headers);
    this.#response.end(bodyless ? undefined : ending.body);
  }

  #report(ending: Ending): void {
    const state = this.#state;
    const endMs = preciseNowMs();
    const { socket } = this.#request;
    const report: RequestReport = {
      ...this.passage,
      reporter: this.#reporter,
      startMs: this.startMs,
      durationMs: endMs - this.startMs,
      method: this.method,
      path: this.path,
      authority: this.authority,
      requestId: this.requestId,
      userAgent: headerOf(this.headers, "user-agent"),
      forwardedFor: headerOf(this.headers, "x-forwarded-for"),
      status: ending.status,
      flags: ending.flags.length === 0 ? "-" : ending.flags.join(","),
      details: ending.details,
      transportFailure: ending.transportFailure,
      requestBodyBytes: this.body.length,
      responseBodyBytes: ending.body.length,
      requestBytes: this.body.length + headerBytes(this.headers),
      responseBytes: ending.body.length + headerBytes(ending.headers),
      downstreamLocalAddress: `${socket.localAddress ?? ""}:${socket.localPort ?? 0}`,
      downstreamRemoteAddress: `${socket.remoteAddress ?? ""}:${socket.remotePort ?? 0}`,
    };
    state.metrics.record(report);
    state.options.accessLog.line(accessLogLine(report));
    if (this.trace.sampled) this.#recordSpan(report, endMs);
  }

  #recordSpan(report: RequestReport, endMs: number): void {
    const { self, podAddress, role } = this.#state.options;
    const failed = report.status === 0 || report.status >= 500;
    this.#state.options.spans?.record({
      scope: "envoy",
      context: this.trace,
      parentSpanId: this.parent?.spanId ?? "",
      name: this.passage.operation,
      kind: this.#reporter === "source" ? "client" : "server",
      startMs: this.startMs,
      endMs,
      ...(failed ? { error: `${report.status} ${report.flags}` } : {}),
      attributes: {
        component: "proxy",
        node_id: `${role === "gateway" ? "router" : "sidecar"}~${podAddress}~${self.pod}.${self.namespace}~${self.namespace}.svc.cluster.local`,
        "guid:x-request-id": this.requestId,
        "http.method": report.method,
        "http.url": `http://${report.authority}${report.path}`,
        "http.protocol": "HTTP/1.1",
        "http.status_code": String(report.status),
        request_size: String(report.requestBodyBytes),
        response_size: String(report.responseBodyBytes),
        response_flags: report.flags,
        upstream_cluster: report.upstreamCluster,
        "upstream_cluster.name": report.upstreamCluster,
        user_agent: report.userAgent ?? "-",
        "peer.address": report.downstreamRemoteAddress.replace(/:\d+$/, ""),
        "istio.canonical_service": self.canonicalService,
        "istio.canonical_revision": self.canonicalRevision,
        "istio.mesh_id": "cluster.local",
        "istio.namespace": self.namespace,
        "istio.cluster_id": self.cluster,
      },
    });
  }
}
