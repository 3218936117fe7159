import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { FakeClock } from "@skopos/testkit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { AlertSnapshot } from "../rules/alert.ts";
import { Notifier } from "./notifier.ts";
import type { WebhookPayload } from "./payload.ts";

const firing: AlertSnapshot = {
  fingerprint: "00000000000000aa",
  name: "Errors",
  group: "g",
  file: "f",
  state: "firing",
  labels: { alertname: "Errors", service: "cart", severity: "critical" },
  annotations: { summary: "cart fails" },
  value: 0.5,
  activeAtMs: 1_700_000_000_000,
  firedAtMs: 1_700_000_010_000,
  resolvedAtMs: undefined,
  kept: false,
  expr: "errors > 0",
};
const resolved: AlertSnapshot = { ...firing, state: "resolved", resolvedAtMs: 1_700_000_060_000 };
const other: AlertSnapshot = {
  ...firing,
  fingerprint: "00000000000000bb",
  labels: { ...firing.labels, service: "shop" },
  annotations: { summary: "shop fails" },
};

let received: WebhookPayload[];
let statuses: number[];
let arrival: () => void;
let clock: FakeClock;
let notifier: Notifier;

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => {
    received.push(JSON.parse(Buffer.concat(chunks).toString()) as WebhookPayload);
    response.writeHead(statuses.shift() ?? 200).end();
    arrival();
  });
});

async function receivedCount(count: number): Promise<void> {
  while (received.length < count)
    await new Promise<void>((resolve) => {
      arrival = resolve;
    });
}

/** Until the queue is empty; the answers still have to travel. */
async function settled(): Promise<void> {
  while (notifier.status().some((status) => status.waiting > 0)) await clock.advance(0);
}

beforeEach(async () => {
  received = [];
  statuses = [];
  arrival = () => undefined;
  clock = new FakeClock();
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;
  notifier = new Notifier({
    webhooks: [{ name: "desk", url: `http://127.0.0.1:${port}/hook` }],
    clock,
    externalUrl: "http://desk.example",
    groupBy: ["alertname"],
    repeatMs: 3_600_000,
  });
});

afterEach(async () => {
  await notifier.stop();
  await new Promise((resolve) => {
    server.close(resolve);
    server.closeAllConnections();
  });
});

describe("a webhook", () => {
  it("gets Alertmanager's payload, one message per group", async () => {
    notifier.notify([firing, other]);
    await receivedCount(1);
    expect(received).toEqual([
      {
        version: "4",
        groupKey: '{}:{alertname="Errors"}',
        truncatedAlerts: 0,
        status: "firing",
        receiver: "desk",
        groupLabels: { alertname: "Errors" },
        commonLabels: { alertname: "Errors", severity: "critical" },
        commonAnnotations: {},
        externalURL: "http://desk.example",
        alerts: [
          {
            status: "firing",
            labels: firing.labels,
            annotations: { summary: "cart fails" },
            startsAt: "2023-11-14T22:13:30.000Z",
            endsAt: "0001-01-01T00:00:00Z",
            generatorURL: "http://desk.example/graph?g0.expr=errors+%3E+0&g0.tab=1",
            fingerprint: "00000000000000aa",
          },
          expect.objectContaining({ fingerprint: "00000000000000bb" }),
        ],
      },
    ]);
  });

  it("hears of a fire once, of its end, and again after the repeat interval", async () => {
    for (let i = 0; i < 5; i++) notifier.notify([firing]);
    await receivedCount(1);
    await settled();
    await clock.advance(3_600_000);
    notifier.notify([firing]);
    await receivedCount(2);
    notifier.notify([resolved]);
    notifier.notify([resolved]);
    await receivedCount(3);
    await settled();
    expect(received.map((payload) => payload.status)).toEqual(["firing", "firing", "resolved"]);
  });

  it("does not hear of the end of what it was never told", async () => {
    notifier.notify([resolved]);
    notifier.notify([other]);
    await receivedCount(1);
    await settled();
    expect(received).toHaveLength(1);
    expect(received[0]?.alerts[0]?.fingerprint).toBe(other.fingerprint);
  });

  it("that is down is tried again with growing pauses", async () => {
    statuses = [503, 500, 200];
    notifier.notify([firing]);
    await receivedCount(1);
    await clock.advance(999);
    expect(received).toHaveLength(1);
    for (let i = 0; received.length < 3 && i < 1000; i++) await clock.advance(10);
    await settled();
    expect(notifier.status()[0]).toMatchObject({
      sent: 1,
      failedTries: 2,
      dropped: 0,
      lastError: "",
    });
  });

  it("that refuses a message is not asked again", async () => {
    statuses = [400];
    notifier.notify([firing]);
    await receivedCount(1);
    await settled();
    expect(notifier.status()[0]).toMatchObject({
      sent: 0,
      dropped: 1,
      lastError: "HTTP status 400",
    });
  });
});

it("a webhook that never answers holds up nobody, and its queue is bounded", async () => {
  const slow = new Notifier({
    webhooks: [{ name: "dead", url: "http://unused" }],
    clock,
    externalUrl: "",
    groupBy: ["service"],
    send: (_, __, signal) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener("abort", () => reject(new Error("no answer")));
      }),
  });
  for (let i = 0; i < 1500; i++)
    slow.notify([{ ...firing, fingerprint: String(i), labels: { service: String(i) } }]);
  await clock.advance(11_000);
  const [status] = slow.status();
  expect(status?.waiting).toBeLessThanOrEqual(1001);
  expect(status?.dropped).toBeGreaterThanOrEqual(499);
  expect(status?.lastError).toBe("no answer");
  await slow.stop();
});
