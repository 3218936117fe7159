import { MessageChannel } from "node:worker_threads";
import { Client, credentials, Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { SkoposError } from "@skopos/model";
import { afterEach, describe, expect, it } from "vitest";
import { Guard } from "../http/guard.ts";
import { digestOf, Sessions } from "../http/sessions.ts";
import type { SignalPush } from "../threads/intake-calls.ts";
import { createCaller } from "../threads/rpc.ts";
import type { PushAnswer, TelemetryCalls } from "../threads/telemetry-calls.ts";
import { listenOtlpGrpc } from "./otlp-grpc.ts";
import { PushDoor } from "./push-door.ts";

type Take = (push: SignalPush) => Promise<PushAnswer>;
const taken: PushAnswer = { status: 200, contentType: undefined, body: undefined };
const opened: (() => unknown)[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((close) => close()));
});

/** A listener whose spans and lines go to `take`, and one call of it. */
async function listen(take: Take, anonymous = true) {
  const { port1, port2 } = new MessageChannel();
  const door = new PushDoor(createCaller<TelemetryCalls>(port1), { push: take });
  const tokens = [
    { name: "collector", role: "ingest", sha256: digestOf("push-token") },
    { name: "ada", role: "viewer", sha256: digestOf("ada-token") },
  ] as const;
  const sessions = new Sessions(Buffer.alloc(32, 1), tokens, () => 0);
  const guard = new Guard(sessions, { hosts: [], anonymousRead: true, anonymousIngest: false });
  const listener = await listenOtlpGrpc(
    "127.0.0.1:0",
    (authorization) => guard.requireIngestToken(authorization, anonymous),
    door,
  );
  const client = new Client(listener.address, credentials.createInsecure());
  opened.push(
    () => client.close(),
    () => listener.stop(),
    () => port1.close(),
    () => port2.close(),
  );
  const call = (authorization?: string, body = Buffer.from("spans")) => {
    const metadata = new Metadata();
    if (authorization !== undefined) metadata.set("authorization", authorization);
    return new Promise<ServiceError | "taken">((resolve) => {
      client.makeUnaryRequest(
        "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
        (bytes: Buffer) => bytes,
        (bytes: Buffer) => bytes,
        body,
        metadata,
        (error) => resolve(error ?? "taken"),
      );
    });
  };
  return { call, door };
}

function refused(answer: ServiceError | "taken"): ServiceError {
  if (answer === "taken") throw new Error("the call was not refused");
  return answer;
}

/** google.rpc.RetryInfo of one second, as the last detail of a google.rpc.Status. */
function asksToComeBack({ metadata }: ServiceError): boolean {
  const [details = ""] = metadata.get("grpc-status-details-bin");
  const bytes = Buffer.from(details).toString("latin1");
  return bytes.endsWith("type.googleapis.com/google.rpc.RetryInfo\x12\x04\x0a\x02\x08\x01");
}

describe("OTLP over gRPC", () => {
  it.each([
    ["overloaded", status.RESOURCE_EXHAUSTED, true],
    ["unavailable", status.UNAVAILABLE, true],
    ["disk-full", status.UNAVAILABLE, true],
    // What is too large now will be so the next time: exporters drop it.
    ["too-large", status.RESOURCE_EXHAUSTED, false],
    ["bad-protobuf", status.INVALID_ARGUMENT, false],
  ])("tells a push refused as %s when to come back, or not to", async (code, expected, again) => {
    const { call } = await listen(() => Promise.reject(new SkoposError(code, "not this one")));
    const error = refused(await call());
    expect(error.code).toBe(expected);
    expect(error.details).toBe("not this one");
    expect(asksToComeBack(error)).toBe(again);
  });

  it("holds senders off while too much waits to be written, and takes them again afterwards", async () => {
    const released: (() => void)[] = [];
    const { call, door } = await listen(
      () => new Promise((resolve) => released.push(() => resolve(taken))),
    );
    const push = {
      kind: "otlp-traces",
      contentType: undefined,
      contentEncoding: undefined,
    } as const;
    const waiting = door.push({ ...push, body: Buffer.alloc(256 * 2 ** 20) });
    const error = refused(await call());
    expect(error.code).toBe(status.RESOURCE_EXHAUSTED);
    expect(asksToComeBack(error)).toBe(true);
    released[0]?.();
    await waiting;
    const again = call();
    await expect.poll(() => released.length).toBe(2);
    released[1]?.();
    expect(await again).toBe("taken");
  });

  it("takes pushes with a token of the role ingest alone, where tokens are asked for", async () => {
    let pushes = 0;
    const { call } = await listen(async () => (pushes++, taken), false);
    for (const authorization of [undefined, "Bearer wrong", "Bearer ada-token", "push-token-2"]) {
      const error = refused(await call(authorization));
      expect(error.code).toBe(status.UNAUTHENTICATED);
      expect(error.details).toContain("role ingest");
      expect(asksToComeBack(error)).toBe(false);
    }
    expect(pushes).toBe(0);
    expect(await call("Bearer push-token")).toBe("taken");
    expect(pushes).toBe(1);
  });
});
