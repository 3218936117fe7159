/** Decodes pushes of metrics and answers each in its protocol's manner, once what can be stored is on disk. */
import {
  type BatchOutcome,
  decodeOtlpMetrics,
  encodeExportResponse,
  lossOf,
  type MetadataBook,
  type RemoteWriteReceiver,
  writeBatch,
} from "@skopos/ingest";
import type { Clock, MetricSink } from "@skopos/model";
import type { MetricKind, Push, PushAnswer } from "./telemetry-calls.ts";

export interface MetricIntake {
  readonly metrics: MetricSink;
  readonly remoteWrite: RemoteWriteReceiver;
  readonly clock: Clock;
  /** What pushed families say of themselves. */
  readonly metadata: MetadataBook;
}

export function acceptPush(push: Push<MetricKind>, intake: MetricIntake): Promise<PushAnswer> {
  return push.kind === "otlp-metrics" ? acceptOtlp(push, intake) : acceptRemoteWrite(push, intake);
}

async function acceptRemoteWrite(
  { body, contentType, contentEncoding }: Push<MetricKind>,
  { metrics, remoteWrite, clock, metadata }: MetricIntake,
): Promise<PushAnswer> {
  const headers = { contentType, contentEncoding };
  const { version, batch, outcome } = remoteWrite.receive(body, headers, clock.nowMs());
  metadata.note(batch.metadata);
  await metrics.durable();
  const counts = version === 2 ? { headers: writtenHeaders(outcome) } : {};
  const loss = lossOf(batch, outcome);
  if (loss === "") return { status: 204, contentType: undefined, body: undefined, ...counts };
  const text = `${loss}; the other ${outcome.appended} are stored`;
  return { status: 400, contentType: "text/plain; charset=utf-8", body: text, ...counts };
}

/** A sample that was there already counts as written: the sender need not send it again. */
function writtenHeaders(outcome: BatchOutcome): Record<string, string> {
  const prefix = "x-prometheus-remote-write";
  return {
    [`${prefix}-samples-written`]: String(outcome.samples),
    [`${prefix}-histograms-written`]: String(outcome.histograms),
    [`${prefix}-exemplars-written`]: String(outcome.exemplars),
  };
}

async function acceptOtlp(
  { body, contentType, contentEncoding }: Push<MetricKind>,
  { metrics, clock, metadata }: MetricIntake,
): Promise<PushAnswer> {
  const nowMs = clock.nowMs();
  let rejected = 0;
  const errors: string[] = [];
  for (const { group, batch } of decodeOtlpMetrics(body, contentType, { contentEncoding })) {
    const outcome = writeBatch(batch, metrics, group, nowMs);
    // Nobody says when a resource has gone, and nobody keeps refs of it: its series may go with their age.
    metrics.closeGroup(metrics.openGroup(group));
    metadata.note(batch.metadata);
    const loss = lossOf(batch, outcome);
    if (loss === "") continue;
    rejected += batch.rejected + outcome.tooOld + outcome.tooNew + outcome.refused;
    if (errors.length < errorsMax) errors.push(loss);
  }
  await metrics.durable();
  const error = errors.join("; ");
  return { status: 200, ...encodeExportResponse("metrics", { rejected, error }, contentType) };
}

/** Resources whose losses are told in one answer. */
const errorsMax = 5;
