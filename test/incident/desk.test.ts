import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { collections, deployment, mesh, PracticeWorld } from "./practice-world.ts";

let world: PracticeWorld;

beforeEach(async () => {
  world = new PracticeWorld(7);
  await world.open();
  await world.live(180_000);
});
afterEach(async () => {
  await world.close();
});

type Break = () => void;
const put = (kind: keyof typeof collections, object: Record<string, unknown>): Break => {
  return () => void world.server.put(collections[kind], object, "somebody");
};
const route = (name: string, http: Record<string, unknown>) =>
  mesh("VirtualService", name, {
    hosts: [name],
    http: [{ route: [{ destination: { host: name } }], ...http }],
  });

const faults: [title: string, fault: Break, cause: string, mechanism: string, change: string][] = [
  [
    "a rollout that lowers a connection pool",
    put("Deployment", deployment("users", { DB_POOL_SIZE: "2" })),
    "shop/users",
    "client-pool-exhausted",
    "DB_POOL_SIZE 16 → 2",
  ],
  [
    "a rollout that leaves so few connections that requests time out waiting",
    put("Deployment", deployment("users", { DB_POOL_SIZE: "1" })),
    "shop/users",
    "client-pool-exhausted",
    "DB_POOL_SIZE 16 → 1",
  ],
  [
    "a rollout that fails requests",
    put("Deployment", deployment("posts", { FAIL: "0.3", VERSION: "v2" })),
    "shop/posts",
    "bad-rollout",
    "image v1 → v2",
  ],
  [
    "a rollout that works longer",
    put("Deployment", deployment("recommend", { EXTRA_MS: "250", VERSION: "v3" })),
    "shop/recommend",
    "slow-rollout",
    "v3",
  ],
  [
    "a connection limit that refuses requests",
    put(
      "DestinationRule",
      mesh("DestinationRule", "users", {
        host: "users",
        trafficPolicy: { connectionPool: { tcp: { maxConnections: 1 } } },
      }),
    ),
    "shop/users",
    "connection-pool-overflow",
    "DestinationRule users created",
  ],
  [
    "an injected abort",
    put(
      "VirtualService",
      route("posts", { fault: { abort: { percentage: { value: 50 }, httpStatus: 503 } } }),
    ),
    "shop/posts",
    "fault-injected",
    "VirtualService posts created",
  ],
  [
    "an injected delay",
    put("VirtualService", route("posts", { fault: { delay: { fixedDelay: "0.2s" } } })),
    "shop/posts",
    "fault-injected",
    "VirtualService posts created",
  ],
  [
    "a timeout that is too short",
    put("VirtualService", route("users", { timeout: "0.005s" })),
    "shop/users",
    "upstream-timeout",
    "VirtualService users created",
  ],
  [
    "a route to a subset that does not exist",
    put(
      "VirtualService",
      mesh("VirtualService", "posts", {
        hosts: ["posts"],
        http: [{ route: [{ destination: { host: "posts", subset: "none" } }] }],
      }),
    ),
    "shop/posts",
    "route-missing",
    "VirtualService posts created",
  ],
  [
    "callers and callee that disagree about mutual TLS",
    () => {
      put(
        "PeerAuthentication",
        mesh(
          "PeerAuthentication",
          "users",
          { selector: { matchLabels: { app: "users" } }, mtls: { mode: "STRICT" } },
          "security",
        ),
      )();
      put(
        "DestinationRule",
        mesh("DestinationRule", "users", {
          host: "users",
          trafficPolicy: { tls: { mode: "DISABLE" } },
        }),
      )();
    },
    "shop/users",
    "mtls-conflict",
    "users created",
  ],
  [
    "a policy that denies",
    put(
      "AuthorizationPolicy",
      mesh(
        "AuthorizationPolicy",
        "posts",
        { selector: { matchLabels: { app: "posts" } }, action: "DENY" },
        "security",
      ),
    ),
    "shop/posts",
    "authorization-denied",
    "AuthorizationPolicy posts created",
  ],
  [
    "a service scaled to nothing",
    put("Deployment", deployment("posts", {}, { replicas: 0 })),
    "shop/posts",
    "no-healthy-upstream",
    "2 → 0 replicas",
  ],
  [
    "a service scaled too low",
    put("Deployment", deployment("posts", {}, { replicas: 1 })),
    "shop/posts",
    "too-few-replicas",
    "2 → 1 replicas",
  ],
  [
    "containers that keep ending after a rollout",
    put("Deployment", deployment("recommend", { CRASH: "1" })),
    "shop/recommend",
    "crash-loop",
    "CRASH",
  ],
];

describe("one fault", () => {
  it.each(faults)(
    "%s is one incident, explained, mended and proven",
    async (_, fault, cause, mechanism, change) => {
      fault();
      const brokenAt = world.clock.nowMs();
      await world.until(
        "an explained cause",
        () => world.desk.list("open")[0]?.cause?.mechanism === mechanism,
        120_000,
      );
      await world.live(15_000);
      const incident = await world.only();
      const [first] = incident.diagnosis.hypotheses;
      expect([first?.node.id, first?.mechanism]).toEqual([cause, mechanism]);
      expect(first?.change?.summary).toContain(change);
      expect((incident.explainedAt ?? 0) - brokenAt).toBeLessThanOrEqual(60_000);
      expect(incident.slice.causeId).toBe(cause);

      const action = incident.actions.find(({ state }) => state === "awaiting-approval");
      expect(action?.plan?.diff).toMatch(/^[+-]/m);
      const approved = await world.desk.actions.approve(incident.id, action?.id ?? "", {
        by: "alice",
        confirm: action?.target.name ?? "",
      });
      expect(approved.state).toBe("verifying");
      await world.until("the end", () => world.desk.list("all")[0]?.state === "resolved", 180_000);
      const after = await world.only();
      expect(after.actions.find(({ id }) => id === action?.id)?.state).toBe("succeeded");
      expect(after.timeline.map(({ sequence }) => sequence)).toEqual(
        after.timeline.map(({ sequence }) => sequence).sort((a, b) => a - b),
      );
      // Whatever still fires belongs to what is over.
      await world.live(60_000);
      expect(world.desk.list("all")).toHaveLength(1);
      expect(world.errors).toEqual([]);
    },
  );
});
