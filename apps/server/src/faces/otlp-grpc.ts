/**
 * OTLP over gRPC: the three Export calls. Requests and answers pass as bytes, since the pushes are decoded elsewhere; what
 * is wrong is told by status, with RetryInfo where the same request may pass later.
 * Source: the OTLP specification, "OTLP/gRPC"; opentelemetry/proto/collector.
 */
import {
  Metadata,
  type sendUnaryData,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
} from "@grpc/grpc-js";
import { encodeRpcStatus } from "@skopos/ingest";
import { messageOf, SkoposError } from "@skopos/model";
import { pushBytesMax } from "../http/app.ts";
import { refusalOf } from "../http/problems.ts";
import { grpcCodeOf, isRetryable } from "./grpc-status.ts";
import type { PushDoor, PushKind } from "./push-door.ts";

const services: Readonly<Record<string, PushKind>> = {
  "opentelemetry.proto.collector.trace.v1.TraceService": "otlp-traces",
  "opentelemetry.proto.collector.logs.v1.LogsService": "otlp-logs",
  "opentelemetry.proto.collector.metrics.v1.MetricsService": "otlp-metrics",
};
const stopMsMax = 2000;
const retryAfterSeconds = 1;

export interface GrpcListener {
  /** With the port it got. */
  readonly address: string;
  stop(): Promise<void>;
}

/** `mayPush` throws for senders that may not; it is handed the call's `authorization`. Rejects with "port-in-use". */
export async function listenOtlpGrpc(
  address: string,
  mayPush: (authorization: string | undefined) => void,
  door: Pick<PushDoor, "push">,
): Promise<GrpcListener> {
  const server = new Server({
    "grpc.max_receive_message_length": pushBytesMax,
    "grpc.max_concurrent_streams": 100,
  });
  for (const [service, kind] of Object.entries(services)) {
    const definition = {
      path: `/${service}/Export`,
      requestStream: false,
      responseStream: false,
      requestSerialize: asIs,
      requestDeserialize: asIs,
      responseSerialize: asIs,
      responseDeserialize: asIs,
    } as const;
    server.addService({ Export: definition }, { Export: exportOf(kind, mayPush, door) });
  }
  const port = await bind(server, address);
  return {
    address: `${address.slice(0, address.lastIndexOf(":"))}:${port}`,
    stop: () => stop(server),
  };
}

const asIs = (bytes: Buffer): Buffer => bytes;

function exportOf(
  kind: PushKind,
  mayPush: (authorization: string | undefined) => void,
  door: Pick<PushDoor, "push">,
) {
  return (call: ServerUnaryCall<Buffer, Buffer>, answer: sendUnaryData<Buffer>): void => {
    const take = async (): Promise<Buffer> => {
      const [authorization] = call.metadata.get("authorization");
      mayPush(authorization === undefined ? undefined : String(authorization));
      const { body } = await door.push({
        kind,
        body: call.request,
        contentType: "application/x-protobuf",
        // What the call was compressed with is undone by then.
        contentEncoding: undefined,
      });
      return Buffer.from(body ?? "");
    };
    take().then(
      (body) => answer(null, body),
      (error: unknown) => answer(refusal(error)),
    );
  };
}

function refusal(error: unknown) {
  const { code: name, message } = refusalOf(error).body.error;
  const code = grpcCodeOf(name);
  const metadata = new Metadata();
  if (isRetryable(name)) {
    const { body } = encodeRpcStatus({ code, message, retryAfterSeconds });
    metadata.set("grpc-status-details-bin", Buffer.from(body));
  }
  return { code, details: message, metadata };
}

function bind(server: Server, address: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(address, ServerCredentials.createInsecure(), (error, port) => {
      if (!error) return resolve(port);
      const taken = /EADDRINUSE/.test(messageOf(error));
      const why = taken ? "the port is in use" : messageOf(error);
      const message = `cannot listen for OTLP over gRPC on ${address}: ${why}`;
      reject(new SkoposError(taken ? "port-in-use" : "bad-config", message, { cause: error }));
    });
  });
}

function stop(server: Server): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => server.forceShutdown(), stopMsMax);
    server.tryShutdown(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}
