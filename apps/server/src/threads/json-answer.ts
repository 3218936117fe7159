/** Answers of query threads as bytes: metric results as the Prometheus API has them, sent ahead in chunks when they are many. */
import { LimitError, type MetricResult, type MetricValue } from "@skopos/model";
import { prometheusJsonChunks } from "@skopos/promql";
import type { CallContext } from "./rpc.ts";

/** Bytes that are gathered before they cross threads. */
const chunkBytes = 256 * 1024;
/** About half a gigabyte of JSON. Refused before the first byte is sent, so that no answer breaks off. */
const answerPointsMax = 20_000_000;
const encoder = new TextEncoder();

function pointsOf(value: MetricValue): number {
  if (value.type === "vector") return value.samples.length;
  if (value.type !== "matrix") return 1;
  return value.series.reduce((sum, { values }) => sum + values.length, 0);
}

/** Returns the last part. Throws `LimitError`. */
export async function sendJson(
  result: MetricResult,
  stats: object | undefined,
  { emit }: Pick<CallContext, "emit">,
): Promise<Uint8Array<ArrayBuffer>> {
  if (pointsOf(result.value) > answerPointsMax)
    throw new LimitError(
      `the answer has more than ${answerPointsMax} points: aggregate it or shorten the range`,
    );
  return sendText(prometheusJsonChunks(result, stats), emit);
}

export async function sendText(
  pieces: Iterable<string> | AsyncIterable<string>,
  emit: CallContext["emit"],
): Promise<Uint8Array<ArrayBuffer>> {
  let text = "";
  for await (const piece of pieces) {
    text += piece;
    if (text.length < chunkBytes) continue;
    await emit(encoder.encode(text));
    text = "";
  }
  return encoder.encode(text);
}

/** At most so many series, told by upstream's warning. */
export function limitSeries(result: MetricResult, limit: number | undefined): MetricResult {
  const { value } = result;
  if (limit === undefined) return result;
  const warnings = [...result.warnings, "results truncated due to limit"];
  if (value.type === "vector" && value.samples.length > limit)
    return { ...result, value: { ...value, samples: value.samples.slice(0, limit) }, warnings };
  if (value.type === "matrix" && value.series.length > limit)
    return { ...result, value: { ...value, series: value.series.slice(0, limit) }, warnings };
  return result;
}
