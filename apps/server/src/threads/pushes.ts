/** Decodes pushes of metrics and has them acknowledged: a push is answered only when it is on disk, whole or not at all. */
import { decodeRemoteWrite, writeRemoteSamples } from "@skopos/ingest";
import { type SampleSink, SkoposError } from "@skopos/model";
import type { MetricKind, Push, PushAnswer } from "./telemetry-calls.ts";

export async function acceptPush(push: Push<MetricKind>, metrics: SampleSink): Promise<PushAnswer> {
  const { kind, body, contentType, contentEncoding } = push;
  switch (kind) {
    case "remote-write": {
      const samples = decodeRemoteWrite(body, { contentType, contentEncoding });
      const outcome = writeRemoteSamples(samples, metrics, "remote");
      await metrics.durable();
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
    case "otlp-metrics":
      throw new SkoposError(
        "unsupported-media-type",
        "OTLP metrics are not accepted yet: push metrics to /api/v1/write",
      );
  }
}
