import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fuzzRuns } from "../testing/fuzz-runs.ts";
import { accessLogMetadata, keptOfAccessLog, parseAccessLogLine } from "./parse.ts";

const requestId = "d209e46f-9ed5-9b61-bbdd-43e22662702a";
const istio = `[2020-11-25T21:26:18.409Z] "GET /status/418?a=b c HTTP/1.1" 503 UF,URX upstream_reset_before_response_started{connection_failure} - "TLS error: 268435581" 0 135 4 - "-" "curl/7.73.0-DEV (a "quoted" b)" "${requestId}" "httpbin:8000" "127.0.0.1:80" outbound|8000|v1|httpbin.foo.svc.cluster.local 127.0.0.1:41854 10.44.1.27:80 10.44.1.23:37652 outbound_.8000_._.httpbin default`;
const fields = {
  format: "istio-text",
  startTime: "2020-11-25T21:26:18.409Z",
  method: "GET",
  path: "/status/418?a=b c",
  protocol: "HTTP/1.1",
  status: 503,
  responseFlags: "UF,URX",
  responseCodeDetails: "upstream_reset_before_response_started{connection_failure}",
  upstreamTransportFailureReason: "TLS error: 268435581",
  bytesReceived: 0,
  bytesSent: 135,
  durationMs: 4,
  userAgent: 'curl/7.73.0-DEV (a "quoted" b)',
  requestId,
  authority: "httpbin:8000",
  upstreamHost: "127.0.0.1:80",
  upstreamCluster: "outbound|8000|v1|httpbin.foo.svc.cluster.local",
  upstreamLocalAddress: "127.0.0.1:41854",
  downstreamLocalAddress: "10.44.1.27:80",
  downstreamRemoteAddress: "10.44.1.23:37652",
  requestedServerName: "outbound_.8000_._.httpbin",
  routeName: "default",
};

describe("an access log line", () => {
  it("in Istio's text format has all its fields", () => {
    expect(parseAccessLogLine(`${istio}\n`)).toEqual(fields);
  });

  it("of a TCP connection has neither method nor path", () => {
    const line = `[2020-11-25T21:26:18.409Z] "- - -" 0 - - - "-" 906 3062 1000 - "-" "-" "-" "-" "10.0.0.9:5432" outbound|5432||db.shop.svc.cluster.local 10.0.0.1:1 10.0.0.9:5432 10.0.0.1:2 - -`;
    const entry = parseAccessLogLine(line);
    expect(entry).toMatchObject({ status: 0, bytesSent: 3062, upstreamHost: "10.0.0.9:5432" });
    expect(entry).not.toHaveProperty("method");
    expect(entry).not.toHaveProperty("path");
    expect(entry).not.toHaveProperty("responseFlags");
  });

  it("with a trace header behind it has a trace id", () => {
    const id = "0af7651916cd43dd8448eb211c80319c";
    expect(parseAccessLogLine(`${istio} 00-${id}-b7ad6b7169203331-01`)?.traceId).toBe(id);
    expect(parseAccessLogLine(`${istio} "${id.slice(16)}"`)?.traceId).toBe(
      id.slice(16).padStart(32, "0"),
    );
    expect(parseAccessLogLine(`${istio} "-"`)).toEqual(fields);
  });

  it("in Envoy's own text format", () => {
    const line = `[2016-04-15T20:17:00.310Z] "POST /api/v1/locations HTTP/2" 204 - 154 0 226 100 "10.0.35.28" "nsq2http" "${requestId}" "locations" "tcp://10.0.2.1:80"`;
    expect(parseAccessLogLine(line)).toEqual({
      format: "envoy-text",
      startTime: "2016-04-15T20:17:00.310Z",
      method: "POST",
      path: "/api/v1/locations",
      protocol: "HTTP/2",
      status: 204,
      bytesReceived: 154,
      bytesSent: 0,
      durationMs: 226,
      upstreamServiceTimeMs: 100,
      forwardedFor: "10.0.35.28",
      userAgent: "nsq2http",
      requestId,
      authority: "locations",
      upstreamHost: "tcp://10.0.2.1:80",
    });
  });

  it("in JSON, with numbers as texts or not", () => {
    const line = JSON.stringify({
      response_code: "503",
      response_flags: "UH",
      method: "GET",
      path: "/x",
      duration: 12,
      upstream_host: null,
      upstream_cluster: "outbound|80||a.b.svc.cluster.local",
      traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    });
    expect(parseAccessLogLine(line)).toEqual({
      format: "json",
      status: 503,
      responseFlags: "UH",
      method: "GET",
      path: "/x",
      durationMs: 12,
      upstreamCluster: "outbound|80||a.b.svc.cluster.local",
      traceId: "0af7651916cd43dd8448eb211c80319c",
    });
  });

  it("is told as metadata by names that metadata may have", () => {
    const entry = parseAccessLogLine(istio);
    expect(entry && accessLogMetadata(entry)).toEqual({
      method: "GET",
      path: "/status/418?a=b c",
      status: "503",
      response_flags: "UF,URX",
      response_code_details: "upstream_reset_before_response_started{connection_failure}",
      bytes_received: "0",
      bytes_sent: "135",
      duration_ms: "4",
      request_id: requestId,
      authority: "httpbin:8000",
      upstream_host: "127.0.0.1:80",
      upstream_cluster: "outbound|8000|v1|httpbin.foo.svc.cluster.local",
      downstream_remote_address: "10.44.1.23:37652",
      route_name: "default",
    });
  });

  const kept = {
    method: "GET",
    path: "/status/418?a=b c",
    status: "503",
    response_flags: "UF,URX",
    response_code_details: "upstream_reset_before_response_started{connection_failure}",
    duration_ms: "4",
    authority: "httpbin:8000",
    upstream_cluster: "outbound|8000|v1|httpbin.foo.svc.cluster.local",
  };

  it("is kept with what lines are searched by", () => {
    expect(keptOfAccessLog(istio)).toEqual(kept);
    const id = "0af7651916cd43dd8448eb211c80319c";
    expect(keptOfAccessLog(`${istio} ${id}`)).toEqual({ ...kept, trace_id: id });
    const usual = istio.replace(/ upstream_reset_\S+/, " via_upstream");
    expect(keptOfAccessLog(usual)).not.toHaveProperty("response_code_details");
  });

  it("is kept alike whatever its format", () => {
    const json = JSON.stringify({
      method: "GET",
      path: "/status/418?a=b c",
      response_code: 503,
      response_flags: "UF,URX",
      response_code_details: "upstream_reset_before_response_started{connection_failure}",
      duration: 4,
      authority: "httpbin:8000",
      upstream_cluster: "outbound|8000|v1|httpbin.foo.svc.cluster.local",
      upstream_host: "127.0.0.1:80",
      bytes_sent: 135,
    });
    expect(keptOfAccessLog(json)).toEqual(kept);
    expect(keptOfAccessLog("nothing of the kind")).toBeUndefined();
  });

  it.each([
    "",
    "plain text",
    "[2020-11-25T21:26:18.409Z] something happened",
    '[2020-11-25T21:26:18.409Z] "GET / HTTP/1.1" 200 -',
    '{"response_code": 200}',
    '{"response_code": 200, "response_flags": "-"',
    `[${'"'.repeat(50_000)}`,
  ])("is none when it only looks like one: %.60s", (line) => {
    expect(parseAccessLogLine(line)).toBeUndefined();
  });

  it("of any characters is read in time that grows with its length", () => {
    fc.assert(
      fc.property(fc.nat(istio.length), fc.string({ maxLength: 30 }), (at, text) => {
        parseAccessLogLine(istio.slice(0, at) + text + istio.slice(at));
      }),
      { numRuns: fuzzRuns(500) },
    );
    const long = `[2020-11-25T21:26:18.409Z] "GET ${"/a b".repeat(4000)}`;
    expect(parseAccessLogLine(long)).toBeUndefined();
  });
});
