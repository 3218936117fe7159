import { systemClock } from "@skopos/model";
import { KubeServer } from "@skopos/testkit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { ChangeRecord } from "../changes/record.ts";
import { createKubeApi, type KubeApi } from "../kube/api.ts";
import { ClusterWatch } from "./watch.ts";

const deployments = "apps/v1/deployments";
const rules = "networking.istio.io/v1/destinationrules";

function deployment(image: string, env: Record<string, string> = {}, replicas = 4) {
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "user-service", namespace: "shop" },
    spec: {
      replicas,
      selector: { matchLabels: { app: "user-service" } },
      template: {
        metadata: { labels: { app: "user-service" } },
        spec: {
          containers: [
            {
              name: "app",
              image,
              env: Object.entries(env).map(([name, value]) => ({ name, value })),
            },
          ],
        },
      },
    },
  };
}

function destinationRule(connections: number) {
  return {
    apiVersion: "networking.istio.io/v1",
    kind: "DestinationRule",
    metadata: { name: "user-service", namespace: "shop" },
    spec: {
      host: "user-service",
      trafficPolicy: { connectionPool: { tcp: { maxConnections: connections } } },
    },
  };
}

let server: KubeServer;
let api: KubeApi;
let watch: ClusterWatch;

/** The next change that the watch tells of. */
function nextChange(): Promise<ChangeRecord> {
  return new Promise((resolve) => {
    const end = watch.onChange((record) => {
      end();
      resolve(record);
    });
  });
}

beforeEach(async () => {
  server = new KubeServer({
    missing: ["networking.istio.io/v1/serviceentries"],
    nowMs: () => Date.now() - 60_000,
  });
  api = createKubeApi({ server: await server.listen() });
  watch = new ClusterWatch({ api, clock: systemClock });
});
afterEach(async () => {
  await watch.stop();
  await server.close();
});

describe("the cluster watch", () => {
  it("tells a rollout with its image and environment, and keeps both states", async () => {
    server.put(
      deployments,
      deployment("registry/user:v1", { DB_POOL_SIZE: "16", DB_PASSWORD: "a" }),
    );
    await watch.start();
    const seen = nextChange();
    server.put(
      deployments,
      deployment("registry/user:v2", { DB_POOL_SIZE: "2", DB_PASSWORD: "b" }),
      "ci-bot",
    );
    const { change, before } = await seen;
    expect(change.kind).toBe("rollout");
    expect(change.summary).toBe(
      "user-service: image v1 → v2, DB_POOL_SIZE 16 → 2, DB_PASSWORD changed",
    );
    expect(change.by).toBe("ci-bot");
    expect(change.serviceId).toBe("shop/user-service");
    expect(change.diff).toMatch(/name: DB_POOL_SIZE\n-\s+value: "16"\n\+\s+value: "2"/);
    expect(change.diff).not.toMatch(/value: "?[ab]"?\n/);
    expect(before?.metadata.name).toBe("user-service");
  });

  it("does not take the first list, status or bookkeeping for changes", async () => {
    const stored = server.put(deployments, deployment("user:v1"));
    await watch.start();
    const seen: ChangeRecord[] = [];
    watch.onChange((record) => seen.push(record));
    server.put(deployments, { ...deployment("user:v1"), status: { readyReplicas: 1 } });
    server.put(deployments, {
      ...deployment("user:v1"),
      metadata: { ...stored.metadata, annotations: { "deployment.kubernetes.io/revision": "7" } },
    });
    const scaled = nextChange();
    server.put(deployments, deployment("user:v1", {}, 1));
    expect((await scaled).change.summary).toBe("user-service: 4 → 1 replicas");
    expect(seen.map(({ change }) => change.kind)).toEqual(["scale"]);
  });

  it("names the fields that an edited rule changed, and what a deleted one was", async () => {
    server.put(rules, destinationRule(100));
    await watch.start();
    const edited = nextChange();
    server.put(rules, destinationRule(1));
    const { change } = await edited;
    expect(change.kind).toBe("config-updated");
    expect(change.summary).toBe("DestinationRule user-service: tcp.maxConnections 100 → 1");
    expect(change.serviceId).toBe("shop/user-service");
    const deleted = nextChange();
    server.remove(rules, "shop", "user-service");
    const record = await deleted;
    expect(record.change.kind).toBe("config-deleted");
    expect(record.before).not.toBeNull();
  });

  it("finds what changed while its watch had expired", async () => {
    server.put(rules, destinationRule(100));
    await watch.start();
    await waitForWatch("destinationrules");
    server.expireWatches();
    server.put(rules, destinationRule(5));
    const { change } = await nextChange();
    expect(change.summary).toContain("maxConnections 100 → 5");
  });

  it("remembers after a restart which rollout came last, from the ReplicaSets", async () => {
    server.put(deployments, deployment("user:v1", { DB_POOL_SIZE: "16" }));
    server.put(deployments, deployment("user:v1", { DB_POOL_SIZE: "2" }));
    await watch.start();
    const changes = watch.changes({ startMs: 0, endMs: Date.now() });
    expect(changes.map(({ kind, summary }) => [kind, summary])).toEqual([
      ["rollout", "user-service: DB_POOL_SIZE 16 → 2"],
    ]);
  });

  it("lives with kinds that the cluster does not serve", async () => {
    await watch.start();
    const states = new Map(watch.status().map(({ kind, state }) => [kind, state]));
    expect(states.get("ServiceEntry")).toBe("missing");
    expect(states.get("VirtualService")).toBe("watching");
    expect(server.requests.some((request) => request.includes("secrets"))).toBe(false);
  });
});

async function waitForWatch(plural: string): Promise<void> {
  const deadline = Date.now() + 5000;
  while (!server.requests.some((line) => line.includes(`${plural}?watch=true`))) {
    if (Date.now() > deadline) throw new Error(`no watch of ${plural}`);
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  }
}

describe("writes", () => {
  const ref = { kind: "DestinationRule", namespace: "shop", name: "user-service" };

  it("keep nothing on a dry run", async () => {
    server.put(rules, destinationRule(100));
    const answer = await api.patch(
      ref,
      { type: "merge", body: { spec: { host: "other" } } },
      { dryRun: true, fieldManager: "skopos" },
    );
    expect(answer["spec"]).toMatchObject({ host: "other" });
    expect((await api.get(ref))["spec"]).toMatchObject({ host: "user-service" });
  });

  it.each(["merge", "json"] as const)("are refused when the object moved on (%s)", async (type) => {
    const { metadata } = server.put(rules, destinationRule(100));
    server.put(rules, destinationRule(50));
    const patch =
      type === "merge"
        ? { type, body: { spec: { host: "x" } } }
        : { type, body: [{ op: "replace", path: "/spec/host", value: "x" }] };
    await expect(
      api.patch(ref, patch, { resourceVersion: metadata.resourceVersion }),
    ).rejects.toMatchObject({ code: "conflict" });
    await expect(
      api.delete(ref, { resourceVersion: metadata.resourceVersion }),
    ).rejects.toMatchObject({ code: "conflict" });
  });

  it("say by code what went wrong", async () => {
    await expect(api.get(ref)).rejects.toMatchObject({ code: "not-found" });
    const nowhere = createKubeApi({ server: "http://127.0.0.1:1" });
    await expect(nowhere.get(ref)).rejects.toMatchObject({ code: "unreachable" });
  });
});
