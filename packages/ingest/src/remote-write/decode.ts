/**
 * Prometheus remote write, 1.0 (`prometheus.WriteRequest`) and 2.0 (`io.prometheus.write.v2.Request`), both snappy, to a
 * metric batch. A series or histogram that cannot be used is left out and counted; a body that cannot be read is an error, and
 * then nothing is written.
 * Source: prometheus.io/docs/specs/prw/remote_write_spec, …/remote_write_spec_2_0.
 */
import { IngestError } from "../errors.ts";
import {
  type BatchLimits,
  batchLimits,
  type MetricBatch,
  MetricBatchBuilder,
} from "../metric-batch/batch.ts";
import { bodyMaxDefault } from "../wire/body.ts";
import { ProtobufReader } from "../wire/protobuf.ts";
import type { SnappyInflater } from "../wire/snappy.ts";
import { readWriteRequest } from "./request-v1.ts";
import { readWriteRequestV2 } from "./request-v2.ts";
import type { SeriesShortcut } from "./series-shortcut.ts";

export interface RemoteWriteHeaders {
  readonly contentType: string | undefined;
  readonly contentEncoding: string | undefined;
}

interface RemoteWriteRequest {
  readonly version: 1 | 2;
  readonly batch: MetricBatch;
}

/** What is kept from request to request. */
interface DecodeState {
  readonly inflater: SnappyInflater;
  readonly shortcut: SeriesShortcut;
}

/** Throws "bad-protobuf", "bad-snappy", "too-large", "unsupported-media-type". */
export function decodeRemoteWrite(
  body: Uint8Array,
  headers: RemoteWriteHeaders,
  { inflater, shortcut }: DecodeState,
  limits: BatchLimits = batchLimits,
): RemoteWriteRequest {
  const version = versionOf(headers);
  const bytes = inflater.inflate(body, bodyMaxDefault);
  const builder = new MetricBatchBuilder(limits);
  shortcut.open(bytes);
  if (version === 2) readWriteRequestV2(new ProtobufReader(bytes, "Request"), builder, shortcut);
  else readWriteRequest(new ProtobufReader(bytes, "WriteRequest"), builder, shortcut);
  return { version, batch: builder.finish() };
}

const messages: Readonly<Record<string, 1 | 2>> = {
  "": 1,
  "prometheus.writerequest": 1,
  "io.prometheus.write.v2.request": 2,
};

function versionOf({ contentType, contentEncoding }: RemoteWriteHeaders): 1 | 2 {
  const [type = "", ...parameters] = (contentType ?? "application/x-protobuf")
    .toLowerCase()
    .split(";")
    .map((part) => part.trim());
  const proto = parameters.find((parameter) => parameter.startsWith("proto="))?.slice(6);
  const version = messages[(proto ?? "").replaceAll('"', "")];
  if (type !== "application/x-protobuf" || version === undefined)
    throw new IngestError(
      "unsupported-media-type",
      `cannot read ${JSON.stringify(contentType)}: remote write sends application/x-protobuf, with proto=prometheus.WriteRequest (1.0) or proto=io.prometheus.write.v2.Request (2.0)`,
    );
  const encoding = (contentEncoding ?? "snappy").trim().toLowerCase();
  if (encoding !== "snappy")
    throw new IngestError(
      "unsupported-media-type",
      `cannot read content encoding ${JSON.stringify(encoding)}: remote write uses snappy`,
    );
  return version;
}
