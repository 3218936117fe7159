/**
 * Doors for telemetry besides the main one: OTLP over gRPC, and the ports that senders of OTLP/HTTP and Zipkin use when
 * nobody tells them otherwise. They take pushes and answer nothing else.
 */
import type { Logger } from "pino";
import Fastify from "fastify";
import { messageOf, SkoposError } from "@skopos/model";
import { hostOf, isLoopback, portOf, type ServerConfig } from "../config.ts";
import { pushBytesMax } from "../http/app.ts";
import type { Guard } from "../http/guard.ts";
import type { StatusBoard } from "../status.ts";
import { listenOtlpGrpc } from "./otlp-grpc.ts";
import type { PushDoor } from "./push-door.ts";
import { bindPush, type PathGroup } from "./push.ts";

const grpcDefault = "127.0.0.1:4317";

export interface ListenerParts {
  readonly config: ServerConfig;
  readonly guard: Guard;
  readonly door: PushDoor;
  readonly status: StatusBoard;
  readonly log: Logger;
  /** Called with what ends a listener. */
  readonly onStarted: (name: string, stop: () => Promise<void>) => void;
}

/** Rejects with "port-in-use" and "bad-config" for addresses that were asked for; the usual one may be another's. */
export async function startIngestListeners(parts: ListenerParts): Promise<void> {
  const { config } = parts;
  const wanted = config.otlp.grpc;
  if (wanted === undefined) await startUsualGrpc(parts);
  else if (wanted !== "off") await startGrpc(parts, wanted);
  if (config.otlp.http !== "off") await startHttp(parts, "OTLP/HTTP", config.otlp.http, "otlp");
  if (config.zipkin.listen !== "off")
    await startHttp(parts, "Zipkin", config.zipkin.listen, "zipkin");
}

async function startUsualGrpc(parts: ListenerParts): Promise<void> {
  try {
    await startGrpc(parts, grpcDefault);
  } catch (error) {
    const reason = messageOf(error);
    parts.log.warn({ reason }, "OTLP over gRPC is off: set otlp.grpc to another address");
    parts.status.set("OTLP/gRPC", "degraded", `${reason}; set otlp.grpc to another address`);
  }
}

/** Whoever can reach loopback may push, unless tokens are asked for; nobody from elsewhere without one. */
function anonymousOn(address: string, config: ServerConfig): boolean {
  return isLoopback(hostOf(address)) && !config.auth.requireIngestToken;
}

async function startGrpc(parts: ListenerParts, wanted: string): Promise<void> {
  const { config, guard, door } = parts;
  const anonymous = anonymousOn(wanted, config);
  const mayPush = (authorization: string | undefined) =>
    guard.requireIngestToken(authorization, anonymous);
  const listener = await listenOtlpGrpc(wanted, mayPush, door);
  parts.onStarted("OTLP/gRPC", () => listener.stop());
  parts.status.set("OTLP/gRPC", "ok", listener.address);
}

async function startHttp(
  parts: ListenerParts,
  name: string,
  wanted: string,
  group: PathGroup,
): Promise<void> {
  const { config, guard, door } = parts;
  const anonymous = anonymousOn(wanted, config);
  // A page elsewhere cannot reach through: browsers send Origin with every POST, and that is refused.
  const app = Fastify({ bodyLimit: pushBytesMax, forceCloseConnections: true });
  await bindPush(app, (request) => guard.requireIngest(request, anonymous), door, [group]);
  try {
    const host = hostOf(wanted).replaceAll(/[[\]]/g, "");
    const url = await app.listen({ host, port: portOf(wanted) });
    parts.onStarted(name, () => app.close());
    parts.status.set(name, "ok", new URL(url).host);
  } catch (cause) {
    await app.close();
    const taken = cause instanceof Error && "code" in cause && cause.code === "EADDRINUSE";
    throw new SkoposError(
      taken ? "port-in-use" : "bad-config",
      `cannot listen for ${name} on ${wanted}: ${taken ? "the port is in use" : messageOf(cause)}`,
      { cause },
    );
  }
}
