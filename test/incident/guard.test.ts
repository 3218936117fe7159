import type { Action, Incident } from "@skopos/api";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { collections, deployment, mesh, PracticeWorld } from "./practice-world.ts";

let world: PracticeWorld;

beforeEach(async () => {
  world = new PracticeWorld(11);
  await world.open();
  await world.live(150_000);
});
afterEach(async () => {
  await world.close();
});

const badRollout = () =>
  void world.server.put(
    collections.Deployment,
    deployment("posts", { FAIL: "0.3", VERSION: "v2" }),
    "ci",
  );
const limit = () =>
  void world.server.put(
    collections.DestinationRule,
    mesh("DestinationRule", "users", {
      host: "users",
      trafficPolicy: { connectionPool: { tcp: { maxConnections: 1 } } },
    }),
    "somebody",
  );

/** Writes to objects that were kept, as the API saw them. */
const writes = () =>
  world.server.requests.filter(
    (line) => /^(?:PATCH|PUT|DELETE|POST) /.test(line) && !line.includes("dryRun=All"),
  );

async function waitForPlan(): Promise<{ incident: Incident; action: Action }> {
  await world.until("a planned action", async () => {
    const [summary] = world.desk.list("open");
    if (!summary) return false;
    const { actions } = await world.desk.incident(summary.id);
    return actions.some(({ state }) => state === "awaiting-approval");
  });
  const [summary] = world.desk.list("open");
  const incident = await world.desk.incident(summary?.id ?? "");
  const action = incident.actions.find(({ state }) => state === "awaiting-approval");
  if (!action) throw new Error("no action");
  return { incident, action };
}

const approve = (
  { incident, action }: { incident: Incident; action: Action },
  confirm = action.target.name,
) => world.desk.actions.approve(incident.id, action.id, { by: "alice", confirm });

async function actionNow(incidentId: string, actionId: string): Promise<Action | undefined> {
  return (await world.desk.incident(incidentId)).actions.find(({ id }) => id === actionId);
}

describe("an approval", () => {
  it("is refused when it does not name the target, and nothing is written", async () => {
    badRollout();
    const planned = await waitForPlan();
    await expect(approve(planned, "users")).rejects.toMatchObject({ code: "confirm-mismatch" });
    expect(writes()).toEqual([]);
    expect((await actionNow(planned.incident.id, planned.action.id))?.state).toBe(
      "awaiting-approval",
    );
  });

  it("given twice at once executes once", async () => {
    badRollout();
    const planned = await waitForPlan();
    const outcomes = await Promise.allSettled([approve(planned), approve(planned)]);
    expect(outcomes.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    expect(writes()).toHaveLength(1);
    await expect(approve(planned)).rejects.toMatchObject({ code: "conflict" });
    expect(writes()).toHaveLength(1);
  });

  it("is refused with the reason when the object was edited since the plan", async () => {
    badRollout();
    const planned = await waitForPlan();
    world.server.put(
      collections.Deployment,
      deployment("posts", { FAIL: "0.3", VERSION: "v3" }),
      "bob",
    );
    await expect(approve(planned)).rejects.toMatchObject({ code: "refused" });
    const action = await actionNow(planned.incident.id, planned.action.id);
    expect(action?.state).toBe("refused");
    expect(action?.outcome).toContain("changed since the plan");
    expect(writes()).toEqual([]);
  });

  it("is refused while actions are paused, and can be planned again later", async () => {
    badRollout();
    const planned = await waitForPlan();
    world.desk.paused = true;
    await expect(approve(planned)).rejects.toMatchObject({ code: "refused" });
    world.desk.paused = false;
    const again = await world.desk.actions.plan(planned.incident.id, planned.action.id);
    expect(again.state).toBe("awaiting-approval");
    expect((await approve(planned)).state).toBe("verifying");
  });

  it("is refused on stale telemetry", async () => {
    badRollout();
    const planned = await waitForPlan();
    world.simulation.scraped = false;
    await world.clock.advance(60_000);
    await expect(approve(planned)).rejects.toThrow("no fresh telemetry");
    expect(writes()).toEqual([]);
  });

  it("comes too late for a plan that has expired", async () => {
    badRollout();
    const planned = await waitForPlan();
    await world.until(
      "expiry",
      async () => {
        const action = await actionNow(planned.incident.id, planned.action.id);
        return action?.state === "expired";
      },
      900_000,
    );
    await expect(approve(planned)).rejects.toMatchObject({ code: "conflict" });
  });
});

describe("an action that does not help", () => {
  it("is undone from the object as it was, and the incident stays open", async () => {
    // The rollout is innocent: the service fails whatever its template is.
    badRollout();
    world.overrides.set("posts", { failRatio: 0.3 });
    const planned = await waitForPlan();
    await approve(planned);
    await world.until("the undo", async () => {
      const action = await actionNow(planned.incident.id, planned.action.id);
      return action?.state === "undone";
    });
    const action = await actionNow(planned.incident.id, planned.action.id);
    expect(action?.outcome).toContain("put back");
    const restored = world.server.get(collections.Deployment, "shop", "posts");
    expect(JSON.stringify(restored?.["spec"])).toContain("posts:v2");
    expect(world.desk.list("open")).toHaveLength(1);
    expect(writes()).toHaveLength(2);
  });

  it("is not judged without traffic", async () => {
    badRollout();
    const planned = await waitForPlan();
    await approve(planned);
    world.simulation.load = 0;
    await world.until("a verdict", async () => {
      const action = await actionNow(planned.incident.id, planned.action.id);
      return action?.state !== "verifying";
    });
    const action = await actionNow(planned.incident.id, planned.action.id);
    expect(action?.state).toBe("failed");
    expect(action?.outcome).toContain("Cannot be judged");
    expect(writes()).toHaveLength(1);
  });
});

describe("alerts", () => {
  it("of two faults at once make two incidents, each with its own cause", async () => {
    badRollout();
    limit();
    await world.live(120_000);
    const found = world.desk.list("open").map(({ cause }) => [cause?.node.id, cause?.mechanism]);
    expect(found.sort()).toEqual([
      ["shop/posts", "bad-rollout"],
      ["shop/users", "connection-pool-overflow"],
    ]);
  });

  it("of one fault after the other make one incident each", async () => {
    const cure = async () => {
      await approve(await waitForPlan());
      await world.until("recovery", () => world.desk.list("open").length === 0);
      await world.live(40_000);
    };
    world.server.put(collections.Deployment, deployment("users", { DB_POOL_SIZE: "2" }), "ci");
    await cure();
    badRollout();
    await cure();
    limit();
    await cure();
    expect(
      world.desk
        .list("all")
        .map(({ cause }) => [cause?.node.id, cause?.mechanism])
        .reverse(),
    ).toEqual([
      ["shop/users", "client-pool-exhausted"],
      ["shop/posts", "bad-rollout"],
      ["shop/users", "connection-pool-overflow"],
    ]);
  });

  it("that come and go reopen their incident instead of opening another", async () => {
    for (let i = 0; i < 3; i++) {
      world.overrides.set("posts", { failRatio: 0.4 });
      await world.live(50_000);
      world.overrides.delete("posts");
      await world.live(90_000);
    }
    const incident = await world.only();
    expect(incident.state).toBe("resolved");
    expect(incident.timeline.filter(({ text }) => text.startsWith("Reopened"))).toHaveLength(2);
  });

  it("do not come without a fault", async () => {
    await world.live(600_000);
    expect(world.desk.list("all")).toEqual([]);
  });

  it("about nothing that can be measured are answered with unknown", async () => {
    const nowMs = world.clock.nowMs();
    await world.desk.alertsChanged([
      {
        fingerprint: "noise",
        name: "Noise",
        state: "firing",
        severity: "warning",
        labels: { destination_service_namespace: "shop", destination_service_name: "frontend" },
        annotations: {},
        activeAt: nowMs - 10_000,
        firedAt: nowMs,
        resolvedAt: null,
        value: 1,
      },
    ]);
    // A change right before must not be blamed for trouble that is not there.
    world.server.put(collections.Deployment, deployment("frontend", { VERSION: "v2" }), "ci");
    await world.live(30_000);
    const incident = await world.only();
    expect(incident.diagnosis.state).toBe("unknown");
    expect(incident.actions).toEqual([]);
  });
});

describe("a cause without a change", () => {
  it("is not blamed on the many changes of others", async () => {
    for (let i = 0; i < 20; i++) {
      const name = ["frontend", "recommend", "analytics", "users"][i % 4] ?? "";
      world.server.put(
        collections.Deployment,
        deployment(name, { DB_POOL_SIZE: "16", NOTE: `${i}` }),
        "ci",
      );
    }
    world.overrides.set("posts", { extraMs: 250 });
    await world.until(
      "an explanation",
      () =>
        world.desk.list("open")[0]?.cause !== undefined &&
        world.desk.list("open")[0]?.cause !== null,
    );
    await world.live(20_000);
    const incident = await world.only();
    const [first] = incident.diagnosis.hypotheses;
    expect([first?.node.id, first?.mechanism, first?.change]).toEqual([
      "shop/posts",
      "own-latency",
      null,
    ]);
    expect(incident.actions).toEqual([]);
    expect(incident.runbook?.id).toBe("no-change");
  });
});

/** The same story in a fresh world, in which the process dies before its event number `last` is kept. */
async function killAfter(last: number): Promise<void> {
  await world.close();
  world = new PracticeWorld(11);
  await world.open();
  await world.live(150_000);
  const process = { killed: false };
  world.log.before = () => {
    if (world.log.events.length < last && !process.killed) return;
    process.killed = true;
    throw new Error("killed");
  };
  badRollout();
  const dies = async () => {
    for (let i = 0; i < 60 && !process.killed; i++) {
      await world.live(5000).catch((error: unknown) => {
        if (!process.killed) throw error;
      });
      const [summary] = world.desk.list("open");
      const incident = summary && (await world.desk.incident(summary.id));
      const action = incident?.actions.find(({ state }) => state === "awaiting-approval");
      if (incident && action)
        await approve({ incident, action }).catch((error: unknown) => {
          if (!process.killed) throw error;
        });
    }
  };
  await dies();
  expect(process.killed).toBe(true);
  const stopped = world.desk.stop();
  await world.clock.advance(1000);
  await stopped;
  world.log.before = () => undefined;
  await world.openDesk();
  await world.until(`recovery after ${last} events`, async () => {
    const [summary] = world.desk.list("all");
    if (!summary) return false;
    const incident = await world.desk.incident(summary.id);
    const action = incident.actions.find(({ state }) => state === "awaiting-approval");
    if (action && action.approvedBy === null) await approve({ incident, action });
    return incident.state === "resolved";
  });
  expect(writes()).toHaveLength(1);
  const ids = world.desk.list("all").map(({ id }) => id);
  expect(ids).toHaveLength(1);
  const before = await world.desk.incident(ids[0] ?? "");
  await world.desk.stop();
  await world.openDesk();
  expect(await world.desk.incident(ids[0] ?? "")).toEqual(before);
}

describe("a desk that is killed", () => {
  it("goes on from every event, and writes to the object exactly once", async () => {
    badRollout();
    const planned = await waitForPlan();
    await approve(planned);
    await world.until("recovery", () => world.desk.list("open").length === 0);
    const whole = world.log.events.length;
    expect(whole).toBeGreaterThan(8);
    for (let last = 3; last < whole; last++) await killAfter(last);
  }, 180_000);
});
