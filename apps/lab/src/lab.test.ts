import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Lab } from "./lab.ts";
import { type ScrapedSample, scrapeLab, sumOf } from "./testing/scrape.ts";
import { startTestLab, until } from "./testing/start-test-lab.ts";

let lab: Lab;
beforeAll(async () => {
  lab = await startTestLab();
}, 90_000);
afterAll(() => lab?.stop());

const scrape = () => scrapeLab(lab.kube.store);

async function control(method: string, path: string, body?: unknown) {
  const response = await fetch(`${lab.controlUrl}/lab/v1/${path}`, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: JSON.parse(await response.text()) };
}

function requests(samples: readonly ScrapedSample[], labels: Record<string, string>): number {
  return sumOf(samples, "istio_requests_total", labels);
}

/** Mean duration in ms of what came between two scrapes. */
function meanMs(
  before: readonly ScrapedSample[],
  after: readonly ScrapedSample[],
  labels: Record<string, string>,
): number {
  const name = "istio_request_duration_milliseconds";
  const count = sumOf(after, `${name}_count`, labels) - sumOf(before, `${name}_count`, labels);
  return (sumOf(after, `${name}_sum`, labels) - sumOf(before, `${name}_sum`, labels)) / count;
}

const edges = [
  ["istio-ingressgateway", "frontend"],
  ["frontend", "user-service"],
  ["frontend", "post-service"],
  ["frontend", "recommendation-engine"],
  ["frontend", "analytics"],
  ["recommendation-engine", "user-service"],
  ["recommendation-engine", "post-service"],
] as const;

describe("a running lab", () => {
  it("counts every edge of the topology at both ends, over mutual TLS", async () => {
    await until("all edges", async () => {
      const samples = await scrape();
      return edges.every(([source_workload, destination_workload]) =>
        ["source", "destination"].every(
          (reporter) => requests(samples, { reporter, source_workload, destination_workload }) > 0,
        ),
      );
    });
    const samples = await scrape();
    const plain = samples.filter(
      ({ name, labels }) =>
        name === "istio_requests_total" &&
        labels["reporter"] === "destination" &&
        labels["connection_security_policy"] !== "mutual_tls",
    );
    expect(plain).toEqual([]);
  });

  it("counts user-service's bytes to its database at both ends", async () => {
    const samples = await scrape();
    for (const reporter of ["source", "destination"]) {
      const labels = { reporter, source_workload: "user-service", destination_workload: "user-db" };
      expect(sumOf(samples, "istio_tcp_sent_bytes_total", labels)).toBeGreaterThan(0);
      expect(sumOf(samples, "istio_tcp_connections_opened_total", labels)).toBeGreaterThan(0);
    }
  });

  it("exposes the control plane, the containers and the cluster's objects", async () => {
    await until("container usage", async () =>
      (await scrape()).some(({ name }) => name === "container_cpu_usage_seconds_total"),
    );
    const samples = await scrape();
    expect(sumOf(samples, "pilot_xds")).toBe(7);
    expect(sumOf(samples, "citadel_server_success_cert_issuance_count")).toBeGreaterThanOrEqual(7);
    const ready = { deployment: "user-service", namespace: "socialstream" };
    expect(sumOf(samples, "kube_deployment_status_replicas_ready", ready)).toBe(1);
    const container = { pod: podOf("user-service"), container: "istio-proxy" };
    expect(sumOf(samples, "container_memory_working_set_bytes", container)).toBeGreaterThan(1e6);
    expect(sumOf(samples, "istio_agent_cert_expiry_seconds")).toBeGreaterThan(0);
  });

  it("keeps application and proxy logs for kubectl", async () => {
    const path = `api/v1/namespaces/socialstream/pods/${podOf("frontend")}/log?container=istio-proxy&tailLines=1`;
    const line = JSON.parse(await (await fetch(`${lab.kubeUrl}/${path}`)).text());
    expect(line).toMatchObject({ protocol: "HTTP/1.1", response_flags: "-" });
    expect(line.request_id).toMatch(/^[0-9a-f]{8}-/);
  });

  it("names its scenarios without their ground truth, and refuses what it does not know", async () => {
    const { body } = await control("GET", "scenarios");
    expect(body.scenarios.map((each: { name: string }) => each.name)).toContain("bad-rollout");
    expect(JSON.stringify(body)).not.toContain("groundTruth");
    expect((await control("POST", "break", { scenario: "nope" })).status).toBe(404);
    const faulty = await control("POST", "break", { scenario: "name: x\ntitle: [\n" });
    expect(faulty.status).toBe(400);
    expect(faulty.body.error.message).toMatch(/^scenario:\d+:\d+: /);
  });
});

function podOf(app: string): string {
  const [pod] = lab.kube.store.list("Pod", { labelSelector: `app=${app}` });
  return pod?.metadata.name ?? "";
}

/** Breaks, waits for the symptom, mends, and waits until requests through the gateway succeed again. */
async function practise(
  scenario: string,
  symptom: (before: ScrapedSample[], now: ScrapedSample[]) => boolean,
): Promise<void> {
  const before = await scrape();
  const broken = await control("POST", "break", { scenario });
  expect(broken.body).toMatchObject({ broken: { name: scenario } });
  await until(`symptom of ${scenario}`, async () => symptom(before, await scrape()));
  expect((await control("POST", "break", { scenario })).status).toBe(409);
  expect((await control("POST", "mend")).body).toMatchObject({ mended: { name: scenario } });
  await until("recovery", recovered);
}

async function recovered(): Promise<boolean> {
  const paths = ["/feed", "/posts/1", "/users/1"];
  for (let round = 0; round < 2; round++) {
    for (const path of paths) {
      const startMs = performance.now();
      const response = await fetch(`${lab.gatewayUrl}${path}`);
      await response.text();
      if (response.status !== 200 || performance.now() - startMs > 1500) return false;
    }
  }
  return true;
}

const flagged = (destination_service_name: string, response_flags: string) => {
  const labels = { reporter: "source", destination_service_name, response_flags };
  return (before: ScrapedSample[], now: ScrapedSample[]) =>
    requests(now, labels) > requests(before, labels);
};

describe("scenarios", () => {
  it("database-pool-exhausted: callers of user-service wait, and its pool has a line before it", () =>
    practise("database-pool-exhausted", (before, now) => {
      const labels = { reporter: "source", destination_service_name: "user-service" };
      const waiting = sumOf(now, "db_client_connections_pending_requests") > 0;
      return waiting && meanMs(before, now, labels) > 250;
    }));

  it("bad-rollout: version 2 of post-service answers 500", () =>
    practise("bad-rollout", (_before, now) => {
      const labels = { destination_workload: "post-service", destination_version: "v2" };
      return requests(now, { ...labels, reporter: "destination", response_code: "500" }) > 0;
    }));

  it("connection-overflow: callers' proxies refuse with UO, user-service sees no error", () =>
    practise("connection-overflow", (before, now) => {
      const own = { reporter: "destination", destination_service_name: "user-service" };
      const failing = { ...own, response_code: "503" };
      expect(requests(now, failing)).toBe(requests(before, failing));
      return flagged("user-service", "UO")(before, now);
    }));

  it("injected-delay: requests carry DI", () =>
    practise("injected-delay", flagged("post-service", "DI")));

  it("mtls-conflict: connections end before an answer", () =>
    practise("mtls-conflict", flagged("post-service", "UC")));

  it("scaled-to-zero: no healthy upstream", () =>
    practise("scaled-to-zero", flagged("recommendation-engine", "UH")));

  it("missing-subset: no cluster", () => practise("missing-subset", flagged("user-service", "NC")));

  it("slow-rollout: recommendation-engine is slow by itself", () =>
    practise("slow-rollout", (before, now) => {
      const labels = { reporter: "destination", destination_workload: "recommendation-engine" };
      return meanMs(before, now, labels) > 150;
    }));

  it("short-timeout: requests are given up with UT", () =>
    practise("short-timeout", flagged("user-service", "UT")));
});
