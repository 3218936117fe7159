/** The API's JSON values as results. What another program sends is checked here, and only here. */
import {
  type LabelMap,
  type MatrixSeries,
  type MetricValue,
  SkoposError,
  type VectorSample,
} from "@skopos/model";

export function bad(what: string): SkoposError {
  return new SkoposError("unavailable", `the remote server's answer is not as expected: ${what}`);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function listOf(value: unknown, what: string): readonly unknown[] {
  // An empty list of Go's may be null.
  if (value === null || value === undefined) return [];
  if (!Array.isArray(value)) throw bad(`${what} is no list`);
  return value;
}

export function labelsOf(value: unknown): LabelMap {
  if (!isRecord(value)) throw bad("a metric is no object");
  const labels: Record<string, string> = {};
  for (const [name, text] of Object.entries(value)) {
    if (typeof text !== "string") throw bad(`label ${name} is no text`);
    labels[name] = text;
  }
  return labels;
}

function numberOf(text: unknown): number {
  if (typeof text !== "string") throw bad("a value is no text");
  if (text === "+Inf" || text === "Inf") return Infinity;
  if (text === "-Inf") return -Infinity;
  return Number(text);
}

function pointOf(value: unknown): [timeMs: number, value: unknown] {
  if (!Array.isArray(value) || typeof value[0] !== "number") throw bad("a sample is no pair");
  return [Math.round(value[0] * 1000), value[1]];
}

function matrixSeriesOf(value: unknown): MatrixSeries {
  if (!isRecord(value)) throw bad("a series is no object");
  const points = listOf(value["values"], "values");
  const times = new Float64Array(points.length);
  const values = new Float64Array(points.length);
  for (const [i, point] of points.entries()) {
    const [timeMs, text] = pointOf(point);
    times[i] = timeMs;
    values[i] = numberOf(text);
  }
  return { labels: labelsOf(value["metric"]), times, values };
}

function vectorSampleOf(value: unknown): VectorSample | undefined {
  if (!isRecord(value)) throw bad("a sample is no object");
  if (value["value"] === undefined) return undefined;
  const [timeMs, text] = pointOf(value["value"]);
  return { labels: labelsOf(value["metric"]), timeMs, value: numberOf(text) };
}

/** `left` counts the native histograms that a result of floats has no place for. */
export function metricValueOf(data: unknown): { value: MetricValue; left: number } {
  if (!isRecord(data)) throw bad("there is no data");
  const { resultType, result } = data;
  if (resultType === "scalar") {
    const [timeMs, text] = pointOf(result);
    return { value: { type: "scalar", timeMs, value: numberOf(text) }, left: 0 };
  }
  if (resultType === "string") {
    const [timeMs, text] = pointOf(result);
    return { value: { type: "string", timeMs, value: String(text) }, left: 0 };
  }
  const list = listOf(result, "the result");
  if (resultType === "vector") {
    const samples = list.map(vectorSampleOf).filter((sample) => sample !== undefined);
    return { value: { type: "vector", samples }, left: list.length - samples.length };
  }
  if (resultType !== "matrix") throw bad(`result type ${JSON.stringify(resultType)}`);
  const all = list.map(matrixSeriesOf);
  const series = all.filter(({ times }) => times.length > 0);
  return { value: { type: "matrix", series }, left: all.length - series.length };
}

export type Json = Readonly<Record<string, unknown>>;

export function recordOf(value: unknown, what: string): Json {
  if (!isRecord(value)) throw bad(`${what} is no object`);
  return value;
}

export function textOf(value: unknown, what: string): string {
  if (typeof value !== "string") throw bad(`${what} is no text`);
  return value;
}

/** Texts of a list; what else is in it is not expected. */
export function textsOf(value: unknown, what: string): string[] {
  return listOf(value, what).map((each) => textOf(each, what));
}

/** A number, or one written as a text, as protobuf's JSON has 64-bit integers. */
export function countOf(value: unknown, what: string): number {
  const number = typeof value === "string" && value !== "" ? Number(value) : value;
  if (typeof number !== "number" || Number.isNaN(number)) throw bad(`${what} is no number`);
  return number;
}

/** A whole number of any size, as a number or a text. */
export function bigOf(value: unknown, what: string): bigint {
  if (typeof value === "string" && /^-?\d+$/.test(value)) return BigInt(value);
  if (typeof value === "number" && Number.isInteger(value)) return BigInt(value);
  throw bad(`${what} is no whole number`);
}
