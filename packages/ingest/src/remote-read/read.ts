/**
 * Prometheus remote read, the server's side: a snappied `ReadRequest` to selectors and the type of answer the client likes
 * best, columns to a snappied `ReadResponse` of type SAMPLES. Streamed chunks are `chunk-response.ts`'s.
 * Source: prompb/remote.proto; prometheus.io/docs/prometheus/latest/querying/remote_read_api.
 */
import {
  absentNaN,
  highWord,
  type LabelMap,
  lowWord,
  type Matcher,
  type MatchOp,
  type SeriesBlock,
} from "@skopos/model";
import { compress } from "snappyjs";
import { IngestError } from "../errors.ts";
import { ProtobufBuffer } from "../wire/protobuf-buffer.ts";
import { ProtobufReader } from "../wire/protobuf.ts";
import { inflateSnappy } from "../wire/snappy.ts";
import { writeRemoteHistogram } from "../wire/histogram.ts";
import { seriesField, writeLabels, writeSample } from "../wire/time-series.ts";
import { seriesInOrder } from "./series-order.ts";

type ReadResponseType = "samples" | "chunks";

export interface ReadRequest {
  readonly queries: readonly ReadQuery[];
  readonly responseType: ReadResponseType;
}

interface ReadQuery {
  readonly matchers: readonly Matcher[];
  /** Inclusive on both sides, unix milliseconds. */
  readonly startMs: number;
  readonly endMs: number;
}

const requestBytesMax = 1024 * 1024;
const queriesMax = 100;
const ops: readonly MatchOp[] = ["=", "!=", "=~", "!~"];
/** `ReadRequest.ResponseType`, by number. */
const responseTypes: readonly ReadResponseType[] = ["samples", "chunks"];

/** Throws "bad-protobuf", "bad-snappy", "too-large", "not-supported". */
export function decodeReadRequest(body: Uint8Array): ReadRequest {
  const reader = new ProtobufReader(inflateSnappy(body, requestBytesMax), "ReadRequest");
  const queries: ReadQuery[] = [];
  const accepted: number[] = [];
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) queries.push(readQuery(reader.message("Query")));
    else if (field === 2) readTypes(reader, accepted);
    else reader.skip();
  }
  if (queries.length > queriesMax)
    throw new IngestError("too-large", `more than ${queriesMax} queries in one read request`);
  return { queries, responseType: chosenType(accepted) };
}

/** The first that is known; samples for a client that names none. */
function chosenType(accepted: readonly number[]): ReadResponseType {
  if (accepted.length === 0) return "samples";
  for (const number of accepted) {
    const type = responseTypes[number];
    if (type !== undefined) return type;
  }
  throw new IngestError(
    "not-supported",
    `remote reads are answered with SAMPLES or STREAMED_XOR_CHUNKS, not with type ${accepted.join(", ")}`,
  );
}

/** One at a time, or packed, as proto3 has it. */
function readTypes(reader: ProtobufReader, into: number[]): void {
  if (reader.packed) into.push(...reader.packedInts());
  else into.push(reader.int32());
}

function readQuery(reader: ProtobufReader): ReadQuery {
  const matchers: Matcher[] = [];
  let startMs = 0;
  let endMs = 0;
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) startMs = Number(reader.int64());
    else if (field === 2) endMs = Number(reader.int64());
    else if (field === 3) matchers.push(readMatcher(reader.message("LabelMatcher")));
    else reader.skip();
  }
  return { matchers, startMs, endMs };
}

function readMatcher(reader: ProtobufReader): Matcher {
  let type = 0;
  let name = "";
  let value = "";
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) type = reader.int32();
    else if (field === 2) name = reader.text();
    else if (field === 3) value = reader.text();
    else reader.skip();
  }
  const op = ops[type];
  if (op === undefined)
    throw new IngestError("bad-protobuf", `a label matcher has the unknown type ${type}`);
  return { op, name, value };
}

/**
 * External labels are on every series we hand out, though on none we hold. Returns the matchers that are left to apply to
 * what we hold, or undefined when one of them asks for another value.
 */
export function withoutExternal(
  matchers: readonly Matcher[],
  external: LabelMap,
): readonly Matcher[] | undefined {
  const left: Matcher[] = [];
  for (const matcher of matchers) {
    const own = external[matcher.name];
    if (own === undefined || matcher.op !== "=") left.push(matcher);
    else if (matcher.value !== own) return undefined;
  }
  return left;
}

/** One result for each query, in order; undefined where nothing can match. */
export function encodeReadResponse(
  results: readonly (SeriesBlock | undefined)[],
  external: LabelMap,
): Uint8Array<ArrayBuffer> {
  const out = new ProtobufBuffer();
  for (const block of results) {
    const result = out.begin(1);
    if (block) writeBlock(out, block, external);
    out.end(result);
  }
  return new Uint8Array(compress(out.finish()));
}

function writeBlock(out: ProtobufBuffer, block: SeriesBlock, external: LabelMap): void {
  const words = new Uint32Array(
    block.values.buffer,
    block.values.byteOffset,
    block.values.length * 2,
  );
  for (const { index: s, labels } of seriesInOrder(block, external)) {
    const series = out.begin(1);
    writeLabels(out, labels);
    const times = block.times[block.timesOf[s] ?? 0] ?? new Float64Array();
    const from = block.offsets[s] ?? 0;
    for (let i = 0; i < times.length; i++) {
      const low = words[2 * (from + i) + lowWord] ?? 0;
      const high = words[2 * (from + i) + highWord] ?? 0;
      const histogram = block.histograms?.get(from + i);
      if (histogram) writeRemoteHistogram(out, seriesField.histograms, times[i] ?? 0, histogram);
      else if (high !== absentNaN.high || low !== absentNaN.low)
        writeSample(out, times[i] ?? 0, low, high);
    }
    out.end(series);
  }
}
