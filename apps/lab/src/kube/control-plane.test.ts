import { systemClock } from "@skopos/model";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createKubeApi, type KubeApi } from "./api.ts";
import { mapAt, valueAt } from "./json.ts";
import type { Deployment, KubeObject } from "./object.ts";
import { TestNode } from "./test-node.ts";

let api: KubeApi;

beforeEach(() => {
  const node = new TestNode();
  api = createKubeApi({ clock: systemClock, nodeAgent: node, log: (text) => failures.push(text) });
  node.attach(api);
  failures.length = 0;
  api.store.create({ apiVersion: "v1", kind: "Namespace", metadata: { name: "shop" } });
});

const failures: string[] = [];

afterEach(async () => {
  await api.close();
  expect(failures).toEqual([]);
});

function deployment(image = "cart:1", replicas = 3): KubeObject {
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "cart", namespace: "shop" },
    spec: {
      replicas,
      selector: { matchLabels: { app: "cart" } },
      template: {
        metadata: { labels: { app: "cart" } },
        spec: { containers: [{ name: "app", image, ports: [{ containerPort: 80 }] }] },
      },
    },
  };
}

/** Resolves when `condition` holds for the Deployment, judged at each of its changes. */
function until(condition: (current: Deployment) => boolean): Promise<Deployment> {
  return new Promise((resolve) => {
    const stop = api.store.watch(
      "Deployment",
      ({ object }) => {
        if (!condition(object)) return;
        queueMicrotask(() => stop());
        resolve(object);
      },
      { replay: true },
    );
  });
}

const isRolledOut = ({ spec, status, metadata }: Deployment) =>
  status.observedGeneration === metadata.generation &&
  status.updatedReplicas === spec.replicas &&
  status.replicas === spec.replicas &&
  status.availableReplicas === spec.replicas;

const images = () =>
  api.store.list("Pod", { namespace: "shop" }).map((pod) => pod.spec.containers[0]?.image);

describe("control plane", () => {
  it("rolls a new template out and back within surge and availability bounds", async () => {
    api.store.create(deployment());
    await until(isRolledOut);
    expect(images()).toEqual(["cart:1", "cart:1", "cart:1"]);

    let mostPods = 0;
    let leastReady = 3;
    const stop = api.store.watch("Pod", () => {
      const active = api.store
        .list("Pod", { namespace: "shop" })
        .filter((pod) => pod.metadata.deletionTimestamp === undefined);
      const ready = active.filter((pod) =>
        pod.status.conditions?.some((each) => each.type === "Ready" && each.status === "True"),
      );
      mostPods = Math.max(mostPods, active.length);
      leastReady = Math.min(leastReady, ready.length);
    });
    api.store.patch("Deployment", "shop", "cart", "strategic", {
      spec: { template: { spec: { containers: [{ name: "app", image: "cart:2" }] } } },
    });
    const second = await until(isRolledOut);
    stop();
    expect(images()).toEqual(["cart:2", "cart:2", "cart:2"]);
    expect(mostPods).toBe(4);
    expect(leastReady).toBe(3);
    expect(second.metadata.annotations?.["deployment.kubernetes.io/revision"]).toBe("2");

    const old = api.store
      .list("ReplicaSet", { namespace: "shop" })
      .find((set) => set.metadata.annotations?.["deployment.kubernetes.io/revision"] === "1");
    const template = structuredClone(old?.spec.template);
    delete template?.metadata.labels?.["pod-template-hash"];
    api.store.patch("Deployment", "shop", "cart", "json", [
      { op: "replace", path: "/spec/template", value: template ?? null },
    ]);
    const third = await until(isRolledOut);
    expect(third.metadata.annotations?.["deployment.kubernetes.io/revision"]).toBe("3");
    expect(api.store.list("ReplicaSet", { namespace: "shop" })).toHaveLength(2);
    expect(images()).toEqual(["cart:1", "cart:1", "cart:1"]);
  });

  it("stops a rollout whose new pods never become ready, keeps serving, and takes it back", async () => {
    api.store.create(deployment());
    await until(isRolledOut);
    api.store.update(deployment("cart:broken"));
    await until(({ status }) => status.updatedReplicas === 1);
    const state = api.store.get("Deployment", "shop", "cart");
    expect(state?.status.availableReplicas).toBe(3);
    expect(state?.status.conditions?.find((each) => each.type === "Available")?.status).toBe(
      "True",
    );
    api.store.update(deployment("cart:1"));
    const undone = await until(isRolledOut);
    expect(images()).toEqual(["cart:1", "cart:1", "cart:1"]);
    expect(undone.metadata.annotations?.["deployment.kubernetes.io/revision"]).toBe("3");
  });

  it("replaces all pods at once when the strategy is Recreate", async () => {
    const wanted = deployment();
    mapAt(wanted, "spec")["strategy"] = { type: "Recreate" };
    api.store.create(wanted);
    await until(isRolledOut);
    api.store.patch("Deployment", "shop", "cart", "json", [
      { op: "replace", path: "/spec/template/spec/containers/0/image", value: "cart:2" },
    ]);
    await until(isRolledOut);
    expect(images()).toEqual(["cart:2", "cart:2", "cart:2"]);
  });

  it("keeps endpoints and slices of a service at its ready pods", async () => {
    api.store.create({
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "cart", namespace: "shop" },
      spec: { selector: { app: "cart" }, ports: [{ name: "http", port: 80 }] },
    });
    api.store.create(deployment());
    const filled = new Promise<KubeObject>((resolve) => {
      const stop = api.store.watch("Endpoints", ({ object }) => {
        const addresses = valueAt(object, "subsets", 0, "addresses");
        if (object.metadata.name !== "cart" || !Array.isArray(addresses)) return;
        if (addresses.length < 3) return;
        queueMicrotask(() => stop());
        resolve(object);
      });
    });
    expect(valueAt(await filled, "subsets", 0, "ports")).toEqual([
      { name: "http", port: 80, protocol: "TCP" },
    ]);
    const [slice] = api.store.list("EndpointSlice", { namespace: "shop" });
    expect(valueAt(slice, "endpoints")).toHaveLength(3);
    expect(slice?.metadata.labels?.["kubernetes.io/service-name"]).toBe("cart");
  });

  it("collects replica sets and pods of a deleted deployment, and empties a deleted namespace", async () => {
    api.store.create(deployment());
    await until(isRolledOut);
    const gone = new Promise<void>((resolve) => {
      const stop = api.store.watch("Namespace", ({ type }) => {
        if (type !== "DELETED") return;
        queueMicrotask(() => stop());
        resolve();
      });
    });
    const podsGone = new Promise<void>((resolve) => {
      const stop = api.store.watch("Pod", () => {
        if (api.store.list("Pod").length > 0) return;
        queueMicrotask(() => stop());
        resolve();
      });
    });
    api.store.delete("Deployment", "shop", "cart");
    await podsGone;
    expect(api.store.list("ReplicaSet")).toEqual([]);
    api.store.delete("Namespace", undefined, "shop");
    await gone;
    expect(api.store.list("Event", { namespace: "shop" })).toEqual([]);
  });

  it("tells in events what it did", async () => {
    api.store.create(deployment());
    await until(isRolledOut);
    const reasons = api.store.list("Event", { namespace: "shop" }).map((event) => event["reason"]);
    for (const reason of ["ScalingReplicaSet", "SuccessfulCreate", "Scheduled"]) {
      expect(reasons).toContain(reason);
    }
  });
});
