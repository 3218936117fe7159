/** Decodes telemetry pushes and has them acknowledged: a push is answered only when it is on disk, whole or not at all. */
import {
  decodeLokiPush,
  decodeOtlpTraces,
  decodeRemoteWrite,
  encodeTracesResponse,
  writeRemoteSamples,
} from "@skopos/ingest";
import { type LogSink, type SampleSink, SkoposError, type SpanSink } from "@skopos/model";
import type { Push, PushAnswer } from "./telemetry-calls.ts";

export interface PushSinks {
  readonly samples: SampleSink;
  readonly spans: SpanSink;
  readonly logs: LogSink;
}

export interface PushCounts {
  spans: number;
  logLines: number;
}

export async function acceptPush(
  push: Push,
  sinks: PushSinks,
  counts: PushCounts,
): Promise<PushAnswer> {
  const { kind, body, contentType, contentEncoding } = push;
  switch (kind) {
    case "otlp-traces": {
      const decoded = decodeOtlpTraces(
        body,
        contentType,
        contentEncoding === undefined ? {} : { contentEncoding },
      );
      await sinks.spans.append(decoded.spans);
      counts.spans += decoded.spans.length;
      return { status: 200, ...encodeTracesResponse(decoded, contentType) };
    }
    case "loki": {
      const records = decodeLokiPush(body, contentType, contentEncoding);
      await sinks.logs.append(records);
      counts.logLines += records.length;
      return { status: 204, contentType: undefined, body: undefined };
    }
    case "remote-write": {
      const samples = decodeRemoteWrite(body, { contentType, contentEncoding });
      const outcome = writeRemoteSamples(samples, sinks.samples, "remote");
      await sinks.samples.durable();
      if (outcome.tooOld + outcome.refused > 0) {
        const why = [
          ...(outcome.tooOld > 0
            ? [`${outcome.tooOld} samples are older than the out-of-order window`]
            : []),
          ...(outcome.refused > 0
            ? [`${outcome.refused} samples belong to series above the series limit`]
            : []),
        ];
        throw new SkoposError(
          "bad-request",
          `${why.join("; ")}; the other ${outcome.appended} are stored`,
        );
      }
      return { status: 204, contentType: undefined, body: undefined };
    }
    case "otlp-logs":
      throw new SkoposError(
        "unsupported-media-type",
        "OTLP logs are not accepted yet: push logs to /loki/api/v1/push",
      );
  }
}
