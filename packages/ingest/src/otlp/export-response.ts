/**
 * What an OTLP exporter is told: `Export…ServiceResponse`, whose shape all signals share, and `google.rpc.Status` for
 * refusals, both in the request's own format. Source: the OTLP specification, "Partial Success" and "Failures".
 */
import { mediaTypeOf } from "../wire/body.ts";
import { protobufBytes, protobufVarint } from "../wire/protobuf-bytes.ts";

const rejectedNames = {
  traces: "rejectedSpans",
  logs: "rejectedLogRecords",
  metrics: "rejectedDataPoints",
} as const;
export type OtlpSignal = keyof typeof rejectedNames;

export interface EncodedAnswer {
  readonly body: Uint8Array;
  readonly contentType: string;
}

/** The answer to an export; a partial success when something was rejected. */
export function encodeExportResponse(
  signal: OtlpSignal,
  outcome: { readonly rejected: number; readonly error?: string },
  contentType: string | undefined,
): EncodedAnswer {
  const { rejected, error = "" } = outcome;
  if (mediaTypeOf(contentType, "protobuf") === "json") {
    const partialSuccess = { [rejectedNames[signal]]: String(rejected), errorMessage: error };
    return jsonAnswer(rejected > 0 ? { partialSuccess } : {});
  }
  const partial = [protobufVarint(1, rejected), protobufBytes(2, Buffer.from(error))];
  const body = rejected > 0 ? protobufBytes(1, Buffer.concat(partial)) : new Uint8Array(0);
  return { body, contentType: "application/x-protobuf" };
}

/** A refusal. `retryAfterSeconds` adds RetryInfo: without it exporters may take "exhausted" for final. */
export function encodeRpcStatus(
  status: { readonly code: number; readonly message: string; readonly retryAfterSeconds?: number },
  contentType?: string,
): EncodedAnswer {
  const { code, message, retryAfterSeconds } = status;
  if (/^application\/json/i.test(contentType ?? "")) return jsonAnswer({ code, message });
  const parts = [protobufVarint(1, code), protobufBytes(2, Buffer.from(message))];
  if (retryAfterSeconds !== undefined) {
    const retryInfo = protobufBytes(1, protobufVarint(1, retryAfterSeconds));
    const typeUrl = Buffer.from("type.googleapis.com/google.rpc.RetryInfo");
    parts.push(
      protobufBytes(3, Buffer.concat([protobufBytes(1, typeUrl), protobufBytes(2, retryInfo)])),
    );
  }
  return { body: Buffer.concat(parts), contentType: "application/x-protobuf" };
}

function jsonAnswer(value: object): EncodedAnswer {
  return { body: Buffer.from(JSON.stringify(value)), contentType: "application/json" };
}
