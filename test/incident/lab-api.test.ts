/** The cluster watch and the writes of actions against the practice mesh's own Kubernetes API, over a socket. */
import { ClusterWatch, createKubeApi, valueAt } from "@skopos/mesh";
import { systemClock } from "@skopos/model";
import { afterEach, beforeEach, expect, it } from "vitest";
import { createKubeApi as createLabApi } from "../../apps/lab/src/kube/api.ts";
import { TestNode } from "../../apps/lab/src/kube/test-node.ts";
import { carryOutAgainst, sameDesired } from "../../packages/incident/src/actions/write.ts";
import { makePlan } from "../../packages/incident/src/actions/plan.ts";

let lab: ReturnType<typeof createLabApi>;
let watch: ClusterWatch;
let api: ReturnType<typeof createKubeApi>;

const deployment = (pool: string) => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: "cart", namespace: "shop" },
  spec: {
    replicas: 2,
    selector: { matchLabels: { app: "cart" } },
    template: {
      metadata: { labels: { app: "cart" } },
      spec: {
        containers: [
          { name: "app", image: "cart:1", env: [{ name: "DB_POOL_SIZE", value: pool }] },
        ],
      },
    },
  },
});
const rule = (connections: number) => ({
  apiVersion: "networking.istio.io/v1",
  kind: "DestinationRule",
  metadata: { name: "cart", namespace: "shop" },
  spec: {
    host: "cart",
    trafficPolicy: { connectionPool: { tcp: { maxConnections: connections } } },
  },
});

beforeEach(async () => {
  const node = new TestNode();
  lab = createLabApi({ clock: systemClock, nodeAgent: node, log: () => undefined });
  node.attach(lab);
  lab.store.create({ apiVersion: "v1", kind: "Namespace", metadata: { name: "shop" } });
  const { url } = await lab.listen(0, "127.0.0.1");
  api = createKubeApi({ server: url });
  await api.create(deployment("16"));
  await api.create(rule(100));
  watch = new ClusterWatch({ api, clock: systemClock });
  await watch.start();
});
afterEach(async () => {
  await watch.stop();
  await lab.close();
});

function nextChange(kind: string) {
  return new Promise<Parameters<Parameters<ClusterWatch["onChange"]>[0]>[0]>((resolve) => {
    const end = watch.onChange((record) => {
      if (record.change.kind !== kind) return;
      end();
      resolve(record);
    });
  });
}

it("watches a rollout, plans its undo dry, and undoes it", async () => {
  expect(watch.status().filter(({ state }) => state !== "watching")).toEqual([]);
  const seen = nextChange("rollout");
  const ref = { kind: "Deployment", namespace: "shop", name: "cart" };
  await api.patch(ref, {
    type: "strategic",
    body: {
      spec: {
        template: {
          spec: { containers: [{ name: "app", env: [{ name: "DB_POOL_SIZE", value: "2" }] }] },
        },
      },
    },
  });
  const { change } = await seen;
  expect(change.summary).toBe("cart: DB_POOL_SIZE 16 → 2");
  const planned = await makePlan(
    {
      id: "a",
      incidentId: "i",
      hypothesisId: "h",
      kind: "rollout-undo",
      target: change.object,
      title: "",
      why: "",
      state: "proposed",
      plan: null,
      criteria: [],
      holdMs: 0,
      heldSince: null,
      deadlineAt: null,
      approvedBy: null,
      startedAt: null,
      endedAt: null,
      outcome: null,
    },
    { change, serviceId: "shop/cart" },
    [],
    { kube: api, cluster: watch, graph: undefined, nowMs: Date.now(), expiryMs: 1000 },
  );
  expect(planned.plan.diff).toMatch(/-\s+value: "2"\n\+\s+value: "16"/);
  expect(
    valueAt(await api.get(ref), "spec", "template", "spec", "containers", 0, "env", 0),
  ).toEqual({ name: "DB_POOL_SIZE", value: "2" });
  const undone = nextChange("rollout");
  const after = await carryOutAgainst(api, planned.write, {
    ref,
    expected: planned.preImage,
    dryRun: false,
  });
  expect(sameDesired(after, planned.expected)).toBe(true);
  const record = await undone;
  expect([record.change.summary, record.change.by]).toEqual([
    "cart: DB_POOL_SIZE 2 → 16",
    "skopos",
  ]);
});

it("sees an edited rule and puts it back only when nobody was faster", async () => {
  const seen = nextChange("config-updated");
  const ref = { kind: "DestinationRule", namespace: "shop", name: "cart" };
  const patch = (maxConnections: number) =>
    api.patch(ref, {
      type: "merge",
      body: { spec: { trafficPolicy: { connectionPool: { tcp: { maxConnections } } } } },
    });
  const old = await patch(1);
  const { change, before } = await seen;
  expect(change.summary).toContain("maxConnections 100 → 1");
  await patch(2);
  const object = { ...old, spec: before?.["spec"] };
  const write = { method: "replace", object } as const;
  const put = (expected: typeof old) =>
    carryOutAgainst(api, write, { ref, expected, dryRun: false });
  await expect(put(old)).rejects.toMatchObject({ code: "conflict" });
  const restored = await put(await api.get(ref));
  const path = ["spec", "trafficPolicy", "connectionPool", "tcp", "maxConnections"];
  expect(valueAt(restored, ...path)).toBe(100);
});
