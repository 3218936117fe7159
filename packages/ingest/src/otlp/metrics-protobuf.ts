/** ExportMetricsServiceRequest in protobuf. A point is read whole before the next; unknown fields are read over. */
import type { AttributeValue } from "@skopos/model";
import type { ProtobufReader } from "../wire/protobuf.ts";
import { readKeyValue } from "./attributes.ts";
import {
  type ExemplarDraft,
  type ExponentialBuckets,
  type ExponentialPoint,
  type HistogramPoint,
  type MetricDraft,
  type NumberPoint,
  pointExemplarsMax,
  pointPartsMax,
  type PointsDraft,
  type ResourceDraft,
  type ReadBudget,
  type SummaryPoint,
  temporalities,
} from "./metric-draft.ts";

type Pairs = Map<string, AttributeValue>;

/** Hands on each resource as it is read. */
export function readMetricsRequest(
  reader: ProtobufReader,
  budget: ReadBudget,
  take: (resource: ResourceDraft) => void,
): void {
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) take(readResource(reader.message("ResourceMetrics"), budget));
    else reader.skip();
  }
}

function readResource(reader: ProtobufReader, budget: ReadBudget): ResourceDraft {
  budget.take();
  const attributes: Pairs = new Map();
  const metrics: MetricDraft[] = [];
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) readAttributes(reader.message("Resource"), 1, budget, attributes);
    else if (field === 2) readScope(reader.message("ScopeMetrics"), budget, metrics);
    else reader.skip();
  }
  return { attributes, metrics };
}

function readAttributes(reader: ProtobufReader, at: number, budget: ReadBudget, into: Pairs): void {
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === at) readKeyValue(reader, budget.cutter, into);
    else reader.skip();
  }
}

function readScope(reader: ProtobufReader, budget: ReadBudget, into: MetricDraft[]): void {
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 2) into.push(readMetric(reader.message("Metric"), budget));
    else reader.skip();
  }
}

function readMetric(reader: ProtobufReader, budget: ReadBudget): MetricDraft {
  budget.take();
  let name = "";
  let description = "";
  let unit = "";
  let data: PointsDraft = { kind: "none", points: [] };
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) name = reader.text();
    else if (field === 2) description = reader.text();
    else if (field === 3) unit = reader.text();
    else if (field === 5) data = readGauge(reader.message("Gauge"), budget);
    else if (field === 7) data = readSum(reader.message("Sum"), budget);
    else if (field === 9) data = readHistogram(reader.message("Histogram"), budget);
    else if (field === 10) data = readExponential(reader.message("ExponentialHistogram"), budget);
    else if (field === 11) data = readSummary(reader.message("Summary"), budget);
    else reader.skip();
  }
  return { name, description, unit, data };
}

function readGauge(reader: ProtobufReader, budget: ReadBudget): PointsDraft {
  const { points } = readPoints(reader, budget, "NumberDataPoint", (point) =>
    readNumber(point, budget),
  );
  return { kind: "gauge", points };
}

function readSum(reader: ProtobufReader, budget: ReadBudget): PointsDraft {
  const read = readPoints(reader, budget, "NumberDataPoint", (point) => readNumber(point, budget));
  return { kind: "sum", ...read };
}

function readHistogram(reader: ProtobufReader, budget: ReadBudget): PointsDraft {
  const read = readPoints(reader, budget, "HistogramDataPoint", (point) =>
    readExplicit(point, budget),
  );
  return { kind: "histogram", points: read.points, temporality: read.temporality };
}

function readExponential(reader: ProtobufReader, budget: ReadBudget): PointsDraft {
  const read = readPoints(reader, budget, "ExponentialHistogramDataPoint", (point) =>
    readExponentialPoint(point, budget),
  );
  return { kind: "exponential", points: read.points, temporality: read.temporality };
}

function readSummary(reader: ProtobufReader, budget: ReadBudget): PointsDraft {
  const { points } = readPoints(reader, budget, "SummaryDataPoint", (point) =>
    readSummaryPoint(point, budget),
  );
  return { kind: "summary", points };
}

/** Points are field 1 of every kind; temporality and monotony are 2 and 3 where there are any. */
function readPoints<T>(
  reader: ProtobufReader,
  budget: ReadBudget,
  what: string,
  read: (point: ProtobufReader) => T,
) {
  const points: T[] = [];
  let temporality = 0;
  let monotonic = false;
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) {
      budget.take();
      points.push(read(reader.message(what)));
    } else if (field === 2) temporality = reader.int32();
    else if (field === 3) monotonic = reader.int32() !== 0;
    else reader.skip();
  }
  return { points, temporality: temporalities[temporality] ?? "unspecified", monotonic };
}

function emptyBase() {
  const attributes: Pairs = new Map();
  const exemplars: ExemplarDraft[] = [];
  return { attributes, timeNs: 0n, flags: 0, exemplars };
}

function readNumber(reader: ProtobufReader, budget: ReadBudget): NumberPoint {
  const base = emptyBase();
  let value: number | undefined;
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 3) base.timeNs = reader.fixed64();
    else if (field === 4) value = reader.double();
    else if (field === 5) addExemplar(reader, budget, base.exemplars);
    else if (field === 6) value = signed(reader.fixed64());
    else if (field === 7) readKeyValue(reader, budget.cutter, base.attributes);
    else if (field === 8) base.flags = reader.int32();
    else reader.skip();
  }
  return { ...base, value };
}

function readExplicit(reader: ProtobufReader, budget: ReadBudget): HistogramPoint {
  const base = emptyBase();
  let count = 0;
  let sum: number | undefined;
  const bucketCounts: number[] = [];
  const bounds: number[] = [];
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 3) base.timeNs = reader.fixed64();
    else if (field === 4) count = Number(reader.fixed64());
    else if (field === 5) sum = reader.double();
    else if (field === 6)
      reader.numbers(bucketCounts, pointPartsMax, 1, (each) => Number(each.fixed64()));
    else if (field === 7) reader.numbers(bounds, pointPartsMax, 1, (each) => each.double());
    else if (field === 8) addExemplar(reader, budget, base.exemplars);
    else if (field === 9) readKeyValue(reader, budget.cutter, base.attributes);
    else if (field === 10) base.flags = reader.int32();
    else reader.skip();
  }
  return { ...base, count, sum, bucketCounts, bounds };
}

function readExponentialPoint(reader: ProtobufReader, budget: ReadBudget): ExponentialPoint {
  const base = emptyBase();
  const draft = { count: 0, scale: 0, zeroCount: 0, zeroThreshold: 0 };
  let sum: number | undefined;
  let positive: ExponentialBuckets = { offset: 0, counts: [] };
  let negative: ExponentialBuckets = { offset: 0, counts: [] };
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) readKeyValue(reader, budget.cutter, base.attributes);
    else if (field === 3) base.timeNs = reader.fixed64();
    else if (field === 4) draft.count = Number(reader.fixed64());
    else if (field === 5) sum = reader.double();
    else if (field === 6) draft.scale = Number(reader.sint64());
    else if (field === 7) draft.zeroCount = Number(reader.fixed64());
    else if (field === 8) positive = readBuckets(reader.message("Buckets"));
    else if (field === 9) negative = readBuckets(reader.message("Buckets"));
    else if (field === 10) base.flags = reader.int32();
    else if (field === 11) addExemplar(reader, budget, base.exemplars);
    else if (field === 14) draft.zeroThreshold = reader.double();
    else reader.skip();
  }
  return { ...base, ...draft, sum, positive, negative };
}

function readBuckets(reader: ProtobufReader): ExponentialBuckets {
  let offset = 0;
  const counts: number[] = [];
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) offset = Number(reader.sint64());
    else if (field === 2) reader.numbers(counts, pointPartsMax, 0, (each) => Number(each.uint64()));
    else reader.skip();
  }
  return { offset, counts };
}

function readSummaryPoint(reader: ProtobufReader, budget: ReadBudget): SummaryPoint {
  const base = emptyBase();
  let count = 0;
  let sum = 0;
  const quantiles: { quantile: number; value: number }[] = [];
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 3) base.timeNs = reader.fixed64();
    else if (field === 4) count = Number(reader.fixed64());
    else if (field === 5) sum = reader.double();
    else if (field === 6 && quantiles.length < pointPartsMax)
      quantiles.push(readQuantile(reader.message("ValueAtQuantile")));
    else if (field === 7) readKeyValue(reader, budget.cutter, base.attributes);
    else if (field === 8) base.flags = reader.int32();
    else reader.skip();
  }
  return { ...base, count, sum, quantiles };
}

function readQuantile(reader: ProtobufReader): { quantile: number; value: number } {
  let quantile = 0;
  let value = 0;
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) quantile = reader.double();
    else if (field === 2) value = reader.double();
    else reader.skip();
  }
  return { quantile, value };
}

function addExemplar(reader: ProtobufReader, budget: ReadBudget, into: ExemplarDraft[]): void {
  if (into.length >= pointExemplarsMax) return reader.skip();
  const exemplar = reader.message("Exemplar");
  const attributes: Pairs = new Map();
  const draft = { timeNs: 0n, value: 0, traceId: "", spanId: "" };
  for (let field = exemplar.next(); field !== 0; field = exemplar.next()) {
    if (field === 2) draft.timeNs = exemplar.fixed64();
    else if (field === 3) draft.value = exemplar.double();
    else if (field === 4) draft.spanId = exemplar.hex();
    else if (field === 5) draft.traceId = exemplar.hex();
    else if (field === 6) draft.value = signed(exemplar.fixed64());
    else if (field === 7) readKeyValue(exemplar, budget.cutter, attributes);
    else exemplar.skip();
  }
  into.push({ ...draft, attributes });
}

function signed(value: bigint): number {
  return Number(BigInt.asIntN(64, value));
}
