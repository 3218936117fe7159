import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { HttpClient } from "../http/client.ts";
import { noBody } from "../http/message.ts";
import {
  closedPort,
  createProxyPair,
  outboundCluster,
  type ProxyPair,
  serviceHost,
  type TestServer,
} from "../testing/proxy-pair.ts";
import { sumOf } from "../testing/scrape.ts";
import { defaultLimits } from "./config.ts";
import { istioRetryDefaults } from "./retry.ts";

let pair: ProxyPair;
let server: TestServer;
beforeEach(async () => {
  pair = await createProxyPair();
  server = await pair.addServer("server");
  pair.configure({});
});
afterEach(() => pair.close());

const noRetries = { attempts: 0, perTryTimeoutMs: 0, retryOn: [] };

/** Requests that the client's sidecar counted with that flag. */
function counted(flags: string, code: string): number {
  const labels = { reporter: "source", response_flags: flags, response_code: code };
  return sumOf(pair.samples(), "istio_requests_total", labels);
}

const stats = () => {
  const cluster = pair.state.clusters.get(outboundCluster);
  if (cluster === undefined) throw new Error("no cluster");
  return cluster.stats;
};

describe("telemetry", () => {
  it("counts a request at both ends with Istio's labels; only the destination tells the TLS policy", async () => {
    const response = await pair.get();
    expect(response.status).toBe(200);
    const source = pair.samples().find(({ name }) => name === "istio_requests_total");
    const destination = server.samples().find(({ name }) => name === "istio_requests_total");
    const common = {
      source_workload: "client",
      source_principal: "spiffe://cluster.local/ns/test/sa/client",
      destination_workload: "server",
      destination_principal: "spiffe://cluster.local/ns/test/sa/server",
      destination_service: serviceHost,
      destination_service_name: "server",
      destination_service_namespace: "test",
      request_protocol: "http",
      response_code: "200",
      response_flags: "-",
    };
    expect(source).toMatchObject({
      value: 1,
      labels: { ...common, reporter: "source", connection_security_policy: "unknown" },
    });
    expect(destination).toMatchObject({
      value: 1,
      labels: { ...common, reporter: "destination", connection_security_policy: "mutual_tls" },
    });
  });

  it("keeps the trace and the request id through both proxies and to the application", async () => {
    const trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    const headers = ["traceparent", `00-${trace}-00f067aa0ba902b7-01`, "x-request-id", "abc"];
    await pair.get("/", headers);
    expect(pair.spans.map(({ context }) => context.traceId)).toEqual([trace]);
    expect(pair.spans[0]).toMatchObject({ name: `${serviceHost}:8080/*`, kind: "client" });
    expect(pair.logs[0]).toMatchObject({
      request_id: "abc",
      response_code: 200,
      response_flags: "-",
      upstream_cluster: outboundCluster,
      authority: "server:8080",
    });
  });

  it("writes cumulative histograms in milliseconds that end at the count", async () => {
    await pair.get();
    await pair.get();
    const name = "istio_request_duration_milliseconds";
    const buckets = pair.samples().filter((sample) => sample.name === `${name}_bucket`);
    expect(buckets).toHaveLength(20);
    expect(buckets.at(-1)).toMatchObject({ labels: { le: "+Inf" }, value: 2 });
    expect(buckets.map(({ value }) => value)).toEqual(
      buckets.map(({ value }) => value).toSorted((a, b) => a - b),
    );
    expect(sumOf(pair.samples(), `${name}_count`)).toBe(2);
  });
});

describe("retries", () => {
  it("tries a 503 twice more and tells URX when it stays", async () => {
    server.answer = (response) => response.writeHead(503).end();
    expect((await pair.get()).status).toBe(503);
    expect(server.requests).toBe(3);
    expect(counted("URX", "503")).toBe(1);
    expect(stats()).toMatchObject({ rqRetry: 2, rqRetryLimitExceeded: 1 });
  });

  it("hides a 503 that the next try cures", async () => {
    server.answer = (response) => response.writeHead(server.requests === 1 ? 503 : 200).end();
    expect((await pair.get()).status).toBe(200);
    expect(counted("-", "200")).toBe(1);
    expect(stats()).toMatchObject({ rqRetry: 1, rqRetrySuccess: 1 });
  });

  it("does not repeat a 500 by default", async () => {
    server.answer = (response) => response.writeHead(500).end();
    expect((await pair.get()).status).toBe(500);
    expect(server.requests).toBe(1);
    expect(counted("-", "500")).toBe(1);
  });

  it("goes to another endpoint after a failed connect", async () => {
    const dead = { ...server.endpoint, port: await closedPort() };
    pair.configure({ endpoints: [dead, server.endpoint] });
    const statuses = await Promise.all([pair.get(), pair.get(), pair.get(), pair.get()]);
    expect(statuses.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
  });
});

describe("failures and their flags", () => {
  it("UH: a cluster without endpoints", async () => {
    pair.configure({ endpoints: [] });
    const response = await pair.get();
    expect(response.body.toString()).toBe("no healthy upstream");
    expect(counted("UH", "503")).toBe(1);
    const [sample] = pair.samples();
    expect(sample?.labels).toMatchObject({
      destination_workload: "unknown",
      destination_service_name: "server",
    });
  });

  it("UF: nobody listens, and the workload is still named", async () => {
    pair.configure(
      { endpoints: [{ ...server.endpoint, port: await closedPort() }] },
      {
        retries: noRetries,
      },
    );
    expect((await pair.get()).status).toBe(503);
    expect(counted("UF", "503")).toBe(1);
    expect(pair.samples()[0]?.labels).toMatchObject({
      destination_workload: "server",
      destination_principal: "unknown",
    });
    expect(pair.logs[0]).toMatchObject({ response_flags: "UF" });
    expect(pair.logs[0]?.["upstream_transport_failure_reason"]).toMatch(/ECONNREFUSED/);
  });

  it("UC: the application closes in the middle", async () => {
    server.answer = (response) => response.destroy();
    pair.configure({}, { retries: noRetries });
    const response = await pair.get();
    expect(response.status).toBe(503);
    const at = { reporter: "destination", response_flags: "UC" };
    expect(sumOf(server.samples(), "istio_requests_total", at)).toBe(1);
  });

  it("UT: the route's timeout passes", async () => {
    server.answer = () => undefined;
    pair.configure({}, { timeoutMs: 50 });
    expect((await pair.get()).status).toBe(504);
    expect(counted("UT", "504")).toBe(1);
    expect(stats().rqTimeout).toBe(1);
  });

  it("gives each try its own time", async () => {
    server.answer = (response) => {
      if (server.requests > 1) response.end("late");
    };
    const retries = { attempts: 1, perTryTimeoutMs: 300, retryOn: ["5xx"] };
    pair.configure({}, { timeoutMs: 2000, retries });
    expect((await pair.get()).body.toString()).toBe("late");
    expect(stats()).toMatchObject({ rqPerTryTimeout: 1, rqRetrySuccess: 1 });
  });

  it("NR: no route matches", async () => {
    const path = { kind: "prefix", value: "/api" } as const;
    pair.configure({}, { matches: [{ path, headers: [], withoutHeaders: [] }] });
    expect((await pair.get("/other")).status).toBe(404);
    expect(counted("NR", "404")).toBe(1);
    expect((await pair.get("/api/x")).status).toBe(200);
  });

  it("NC: the route leads to no cluster", async () => {
    pair.configure({}, { clusters: [{ name: `outbound|8080|v9|${serviceHost}`, weight: 1 }] });
    expect((await pair.get()).status).toBe(503);
    expect(counted("NC", "503")).toBe(1);
  });

  it("DC: the caller leaves, which is no response at all", async () => {
    let arrived: (() => void) | undefined;
    const arriving = new Promise<void>((resolve) => (arrived = resolve));
    server.answer = () => arrived?.();
    await pair.getAndLeave(arriving);
    await expect.poll(() => counted("DC", "0")).toBe(1);
  });
});

describe("circuit breaking", () => {
  const limits = { ...defaultLimits, maxConnections: 1, maxPendingRequests: 1 };

  it("UO: one request runs, one waits, the others are refused at once", async () => {
    pair.configure({ limits });
    server.answer = (response) => void setTimeout(() => response.end(), 100);
    const statuses = (await Promise.all([1, 2, 3, 4, 5].map(() => pair.get()))).map(
      ({ status }) => status,
    );
    expect(statuses.filter((status) => status === 503).length).toBeGreaterThanOrEqual(3);
    expect(counted("UO", "503")).toBe(statuses.filter((status) => status === 503).length);
    expect(server.requests).toBe(statuses.filter((status) => status === 200).length);
    expect(stats().rqPendingOverflow).toBe(counted("UO", "503"));
  });

  it("closes a connection after maxRequestsPerConnection", async () => {
    pair.configure({ limits: { ...defaultLimits, maxRequestsPerConnection: 1 } });
    for (let i = 0; i < 3; i++) await pair.get();
    expect(stats()).toMatchObject({ cxTotal: 3, cxMaxRequests: 3 });
  });

  it("keeps one connection for requests one after another without such a limit", async () => {
    for (let i = 0; i < 3; i++) await pair.get();
    expect(stats().cxTotal).toBe(1);
  });
});

describe("outlier detection", () => {
  const outlier = {
    consecutive5xx: 2,
    consecutiveGatewayErrors: 0,
    intervalMs: 20,
    baseEjectionMs: 60,
    maxEjectionPercent: 50,
  };

  it("ejects a failing endpoint, serves from the other, and lets it back in time", async () => {
    const other = await pair.addServer("other");
    server.answer = (response) => response.writeHead(500).end();
    pair.configure({ outlier });
    for (let i = 0; i < 4; i++) await pair.get();
    expect(stats()).toMatchObject({ ejectionsEnforced: 1, ejectionsConsecutive5xx: 1 });
    const before = server.requests;
    for (let i = 0; i < 4; i++) expect((await pair.get()).status).toBe(200);
    expect(server.requests).toBe(before);
    expect(other.requests).toBeGreaterThanOrEqual(4);
    server.answer = (response) => response.end();
    await expect
      .poll(async () => {
        await pair.get();
        return server.requests > before;
      })
      .toBe(true);
  });

  it("never ejects more than its share of the endpoints", async () => {
    server.answer = (response) => response.writeHead(500).end();
    const other = await pair.addServer("other");
    other.answer = (response) => response.writeHead(500).end();
    pair.configure({ outlier: { ...outlier, baseEjectionMs: 60_000 } });
    for (let i = 0; i < 10; i++) expect((await pair.get()).status).toBe(500);
    expect(stats().ejectionsEnforced).toBe(1);
    expect(stats().ejectionsOverflow).toBeGreaterThan(0);
  });
});

describe("faults and weights", () => {
  it("FI: aborts without asking the service", async () => {
    pair.configure({}, { fault: { abort: { percent: 100, status: 418 } } });
    expect((await pair.get()).status).toBe(418);
    expect(counted("FI", "418")).toBe(1);
    expect(server.requests).toBe(0);
  });

  it("DI: delays, and the answer is the service's", async () => {
    pair.configure({}, { fault: { delay: { percent: 100, ms: 80 } } });
    const startMs = performance.now();
    expect((await pair.get()).status).toBe(200);
    expect(performance.now() - startMs).toBeGreaterThanOrEqual(79);
    expect(counted("DI", "200")).toBe(1);
  });
});

describe("mutual TLS", () => {
  it("STRICT closes plain connections before an answer", async () => {
    pair.configure({ tls: "disable" }, { retries: noRetries });
    expect((await pair.get()).status).toBe(503);
    expect(counted("UC", "503")).toBe(1);
    expect(server.requests).toBe(0);
  });

  it("PERMISSIVE takes plain connections and says so", async () => {
    server.setMode("PERMISSIVE");
    pair.configure({ tls: "disable" });
    expect((await pair.get()).status).toBe(200);
    const [sample] = server.samples();
    expect(sample?.labels).toMatchObject({
      connection_security_policy: "none",
      source_principal: "unknown",
    });
  });

  it("DISABLE does not understand a TLS caller: UF with the transport's reason", async () => {
    server.setMode("DISABLE");
    pair.configure({ tls: "istio-mutual" }, { retries: noRetries });
    expect((await pair.get()).status).toBe(503);
    expect(counted("UF", "503")).toBe(1);
    expect(pair.logs[0]?.["upstream_transport_failure_reason"]).toMatch(/TLS_error/);
  });

  it("refuses a peer that is not who the endpoint says", async () => {
    const identity = { ...server.endpoint.identity, principal: "spiffe://cluster.local/ns/x/sa/y" };
    const endpoints = [{ ...server.endpoint, identity }];
    pair.configure({ endpoints }, { retries: noRetries });
    expect((await pair.get()).status).toBe(503);
    expect(counted("UF", "503")).toBe(1);
    expect(server.requests).toBe(0);
  });
});

describe("configuration", () => {
  it("takes effect on the next request and keeps the counters of clusters that stay", async () => {
    await pair.get();
    pair.configure(
      { limits: { ...defaultLimits, maxRequestsPerConnection: 5 } },
      {
        retries: istioRetryDefaults,
      },
    );
    await pair.get();
    expect(stats()).toMatchObject({ rqTotal: 2, cxTotal: 1 });
  });

  it("passes hosts through that the mesh does not know", async () => {
    const direct = new HttpClient({
      host: "127.0.0.1",
      port: server.endpoint.port,
      timeoutMs: 1000,
    });
    server.setMode("DISABLE");
    const own = `127.0.0.1:${server.endpoint.port}`;
    const request = { method: "GET", path: "/", headers: ["host", own], body: noBody };
    expect((await direct.request(request)).status).toBe(200);
    direct.close();
    expect((await pair.getHost(own)).status).toBe(200);
    const labels = { destination_service_name: "PassthroughCluster", response_code: "200" };
    expect(sumOf(pair.samples(), "istio_requests_total", labels)).toBe(1);
  });
});
