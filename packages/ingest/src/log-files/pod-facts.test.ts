import { systemClock } from "@skopos/model";
import { KubeServer } from "@skopos/testkit";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { PodWatch } from "./pod-facts.ts";

let kube: KubeServer;
let server: string;
let pods: PodWatch | undefined;

beforeEach(async () => {
  kube = new KubeServer();
  server = await kube.listen();
});
afterEach(async () => {
  await pods?.stop();
  pods = undefined;
  await kube.close();
});

function putPod(name: string, uid: string, labels: Record<string, string>): void {
  const metadata = { name, namespace: "shop", uid, labels };
  kube.put("v1/pods", { metadata, spec: { nodeName: "n1" } });
}

const watch = (node?: string) => (pods = new PodWatch({ server }, systemClock, node));

describe("the watch of pods whose log files are read", () => {
  it("tells a pod's labels and node, as they are now, until the pod is gone", async () => {
    putPod("cart-1", "u1", { app: "cart" });
    const found = watch();
    const cart = () => found.podOf("u1", "shop", "cart-1");
    await vi.waitFor(() => expect(cart()).toEqual({ labels: { app: "cart" }, node: "n1" }));
    putPod("cart-1", "u1", { app: "cart", version: "v2" });
    putPod("users-1", "u2", {});
    await vi.waitFor(() => expect(cart()?.labels).toEqual({ app: "cart", version: "v2" }));
    await vi.waitFor(() => expect(found.podOf("u2", "shop", "users-1")?.node).toBe("n1"));
    kube.remove("v1/pods", "shop", "cart-1");
    await vi.waitFor(() => expect(cart()).toBeUndefined());
    expect(found.podOf("u2", "shop", "users-1")).toBeDefined();
  });

  it("knows a static pod, whose directory has another uid, by its name", async () => {
    putPod("etcd-n1", "mirror", { component: "etcd" });
    const found = watch();
    await vi.waitFor(() =>
      expect(found.podOf("hash-of-a-file", "shop", "etcd-n1")?.labels).toEqual({
        component: "etcd",
      }),
    );
    expect(found.podOf("hash-of-a-file", "other", "etcd-n1")).toBeUndefined();
  });

  it("goes on after the server ended it, from a list when that is too long ago", async () => {
    putPod("cart-1", "u1", {});
    const found = watch();
    await vi.waitFor(() => expect(found.podOf("u1", "shop", "cart-1")).toBeDefined());
    kube.expireWatches();
    kube.remove("v1/pods", "shop", "cart-1");
    putPod("cart-2", "u2", {});
    await vi.waitFor(() => expect(found.podOf("u2", "shop", "cart-2")).toBeDefined(), 10_000);
    expect(found.podOf("u1", "shop", "cart-1")).toBeUndefined();
  });

  it("says when it has listed them, so that no line need go without its pod's labels", async () => {
    putPod("cart-1", "u1", { app: "cart" });
    const found = watch();
    expect(found.podOf("u1", "shop", "cart-1")).toBeUndefined();
    await found.listed;
    expect(found.podOf("u1", "shop", "cart-1")?.labels).toEqual({ app: "cart" });
  });

  it("asks for the pods of its node alone", async () => {
    watch("n1");
    const asked = () => kube.requests.filter((request) => request.includes("/api/v1/pods"));
    await vi.waitFor(() => expect(asked().length).toBeGreaterThan(1));
    for (const request of asked())
      expect(new URLSearchParams(request.split("?")[1]).get("fieldSelector")).toBe(
        "spec.nodeName=n1",
      );
  });
});
