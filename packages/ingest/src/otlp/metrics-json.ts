/** ExportMetricsServiceRequest in protobuf's JSON mapping: 64-bit integers as text, enums as number or name. */
import type { AttributeValue } from "@skopos/model";
import { asInt64, asList, asObject, asText, badJson, type JsonObject } from "../wire/json.ts";
import { attributesFromJson } from "./attributes.ts";
import {
  type ExemplarDraft,
  type ExponentialBuckets,
  type MetricDraft,
  type OtlpAttributes,
  pointExemplarsMax,
  pointPartsMax,
  type PointBase,
  type PointsDraft,
  type ReadBudget,
  type ResourceDraft,
  type Temporality,
  temporalities,
} from "./metric-draft.ts";
import { enumNumber, idFromJson } from "./traces-json.ts";

export function metricsFromJson(
  value: unknown,
  budget: ReadBudget,
  take: (resource: ResourceDraft) => void,
): void {
  const root = asObject(value, "");
  for (const [i, entry] of asList(root["resourceMetrics"], "resourceMetrics").entries()) {
    budget.take();
    const path = `resourceMetrics[${i}]`;
    const { resource, scopeMetrics } = asObject(entry, path);
    const metrics: MetricDraft[] = [];
    for (const [j, scope] of asList(scopeMetrics, `${path}.scopeMetrics`).entries()) {
      const at = `${path}.scopeMetrics[${j}]`;
      for (const [k, metric] of asList(asObject(scope, at)["metrics"], `${at}.metrics`).entries())
        metrics.push(readMetric(metric, budget, `${at}.metrics[${k}]`));
    }
    const { attributes } = asObject(resource ?? {}, `${path}.resource`);
    take({
      attributes: readAttributes(attributes, budget, `${path}.resource.attributes`),
      metrics,
    });
  }
}

function readAttributes(value: unknown, budget: ReadBudget, path: string): OtlpAttributes {
  return new Map<string, AttributeValue>(
    Object.entries(attributesFromJson(value, budget.cutter, path)),
  );
}

function readMetric(value: unknown, budget: ReadBudget, path: string): MetricDraft {
  budget.take();
  const metric = asObject(value, path);
  return {
    name: asText(metric["name"], `${path}.name`),
    description: asText(metric["description"], `${path}.description`),
    unit: asText(metric["unit"], `${path}.unit`),
    data: readData(metric, budget, path),
  };
}

function readData(metric: JsonObject, budget: ReadBudget, path: string): PointsDraft {
  const part = (name: string) => {
    const at = `${path}.${name}`;
    return { at, data: asObject(metric[name], at) };
  };
  const points = <T>(
    { at, data }: { at: string; data: JsonObject },
    read: (point: JsonObject, where: string) => T,
  ): T[] =>
    asList(data["dataPoints"], `${at}.dataPoints`).map((point, i) => {
      budget.take();
      const where = `${at}.dataPoints[${i}]`;
      return read(asObject(point, where), where);
    });
  const number = (point: JsonObject, at: string) => ({
    ...readBase(point, budget, at),
    value: readValue(point, at),
  });
  if (isGiven(metric["gauge"])) return { kind: "gauge", points: points(part("gauge"), number) };
  if (isGiven(metric["sum"])) {
    const sum = part("sum");
    const monotonic = sum.data["isMonotonic"] === true;
    return { kind: "sum", monotonic, ...temporality(sum), points: points(sum, number) };
  }
  if (isGiven(metric["histogram"])) {
    const histogram = part("histogram");
    const read = (point: JsonObject, at: string) => readExplicit(point, budget, at);
    return { kind: "histogram", ...temporality(histogram), points: points(histogram, read) };
  }
  if (isGiven(metric["exponentialHistogram"])) {
    const histogram = part("exponentialHistogram");
    const read = (point: JsonObject, at: string) => readExponential(point, budget, at);
    return { kind: "exponential", ...temporality(histogram), points: points(histogram, read) };
  }
  if (!isGiven(metric["summary"])) return { kind: "none", points: [] };
  const read = (point: JsonObject, at: string) => readSummary(point, budget, at);
  return { kind: "summary", points: points(part("summary"), read) };
}

function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null;
}

const temporalityNames = temporalities.map(
  (name) => `AGGREGATION_TEMPORALITY_${name.toUpperCase()}`,
);

function temporality({ at, data }: { at: string; data: JsonObject }): { temporality: Temporality } {
  const path = `${at}.aggregationTemporality`;
  const index = enumNumber(data["aggregationTemporality"], temporalityNames, path);
  return { temporality: temporalities[index] ?? "unspecified" };
}

function readBase(point: JsonObject, budget: ReadBudget, path: string): PointBase {
  return {
    attributes: readAttributes(point["attributes"], budget, `${path}.attributes`),
    timeNs: asInt64(point["timeUnixNano"], `${path}.timeUnixNano`),
    flags: Number(asInt64(point["flags"], `${path}.flags`)),
    exemplars: asList(point["exemplars"], `${path}.exemplars`)
      .slice(0, pointExemplarsMax)
      .map((exemplar, i) => readExemplar(exemplar, budget, `${path}.exemplars[${i}]`)),
  };
}

function readExemplar(value: unknown, budget: ReadBudget, path: string): ExemplarDraft {
  const exemplar = asObject(value, path);
  const { filteredAttributes, timeUnixNano, traceId, spanId } = exemplar;
  return {
    attributes: readAttributes(filteredAttributes, budget, `${path}.filteredAttributes`),
    timeNs: asInt64(timeUnixNano, `${path}.timeUnixNano`),
    value: readValue(exemplar, path) ?? 0,
    traceId: idFromJson(traceId, 16, `${path}.traceId`),
    spanId: idFromJson(spanId, 8, `${path}.spanId`),
  };
}

function readValue(point: JsonObject, path: string): number | undefined {
  if (isGiven(point["asDouble"])) return asDouble(point["asDouble"], `${path}.asDouble`);
  if (isGiven(point["asInt"])) return Number(asInt64(point["asInt"], `${path}.asInt`));
  return undefined;
}

/** A number, or "NaN", "Infinity", "-Infinity" or digits as text, as protobuf's JSON mapping has it. */
function asDouble(value: unknown, path: string): number {
  if (typeof value === "number") return value;
  if (typeof value !== "string" || value.trim() === "") return badJson(path, "a number");
  const number = Number(value);
  return Number.isNaN(number) && value !== "NaN" ? badJson(path, "a number") : number;
}

function optionalDouble(value: unknown, path: string): number | undefined {
  return isGiven(value) ? asDouble(value, path) : undefined;
}

function counts(value: unknown, path: string): number[] {
  const list = asList(value, path);
  if (list.length > pointPartsMax) return badJson(path, `a list of at most ${pointPartsMax}`);
  return list.map((each, i) => Number(asInt64(each, `${path}[${i}]`)));
}

function readExplicit(point: JsonObject, budget: ReadBudget, path: string) {
  const bounds = asList(point["explicitBounds"], `${path}.explicitBounds`);
  if (bounds.length > pointPartsMax) badJson(`${path}.explicitBounds`, "a shorter list");
  return {
    ...readBase(point, budget, path),
    count: Number(asInt64(point["count"], `${path}.count`)),
    sum: optionalDouble(point["sum"], `${path}.sum`),
    bucketCounts: counts(point["bucketCounts"], `${path}.bucketCounts`),
    bounds: bounds.map((bound, i) => asDouble(bound, `${path}.explicitBounds[${i}]`)),
  };
}

function readExponential(point: JsonObject, budget: ReadBudget, path: string) {
  return {
    ...readBase(point, budget, path),
    count: Number(asInt64(point["count"], `${path}.count`)),
    sum: optionalDouble(point["sum"], `${path}.sum`),
    scale: Number(asInt64(point["scale"], `${path}.scale`)),
    zeroCount: Number(asInt64(point["zeroCount"], `${path}.zeroCount`)),
    zeroThreshold: optionalDouble(point["zeroThreshold"], `${path}.zeroThreshold`) ?? 0,
    positive: readBuckets(point["positive"], `${path}.positive`),
    negative: readBuckets(point["negative"], `${path}.negative`),
  };
}

function readBuckets(value: unknown, path: string): ExponentialBuckets {
  const { offset, bucketCounts } = asObject(value ?? {}, path);
  return {
    offset: Number(asInt64(offset, `${path}.offset`)),
    counts: counts(bucketCounts, `${path}.bucketCounts`),
  };
}

function readSummary(point: JsonObject, budget: ReadBudget, path: string) {
  const quantiles = asList(point["quantileValues"], `${path}.quantileValues`);
  return {
    ...readBase(point, budget, path),
    count: Number(asInt64(point["count"], `${path}.count`)),
    sum: optionalDouble(point["sum"], `${path}.sum`) ?? 0,
    quantiles: quantiles.slice(0, pointPartsMax).map((each, i) => {
      const at = `${path}.quantileValues[${i}]`;
      const { quantile, value } = asObject(each, at);
      return {
        quantile: optionalDouble(quantile, `${at}.quantile`) ?? 0,
        value: optionalDouble(value, `${at}.value`) ?? 0,
      };
    }),
  };
}
