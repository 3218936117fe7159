/**
 * Loki's push API: protobuf with snappy (with or without a Content-Encoding header, as clients differ) and JSON, structured
 * metadata included. Source: grafana.com/docs/loki, "Ingest logs"; pkg/push/push.proto.
 */
import type { LabelMap, LogRecord } from "@skopos/model";
import { IngestError } from "../errors.ts";
import { logLimits, type LogLimits } from "../log-limits.ts";
import type { DecodedLogs } from "../otlp/log-draft.ts";
import { inflateBody, mediaTypeOf } from "../wire/body.ts";
import { asList, asObject, asText, badJson, parseJson } from "../wire/json.ts";
import { ProtobufReader } from "../wire/protobuf.ts";
import { inflateSnappy } from "../wire/snappy.ts";
import { parseStreamLabels } from "./labels.ts";

/**
 * Lines that are too long are rejected and the others stand, as Loki has it.
 * Throws "bad-protobuf", "bad-json", "bad-snappy", "bad-gzip", "bad-labels", "too-large", "unsupported-media-type".
 */
export function decodeLokiPush(
  body: Uint8Array,
  contentType: string | undefined,
  contentEncoding: string | undefined,
  limits: LogLimits = logLimits,
): DecodedLogs {
  const builder = new RecordBuilder(limits);
  if (mediaTypeOf(contentType, "protobuf") === "json") {
    const bytes = inflateBody(body, contentEncoding, limits.bodyMax);
    readJson(parseJson(bytes), builder);
  } else {
    // Snappy is part of the format; a Content-Encoding that names it adds nothing, gzip wraps it.
    const wrapped =
      contentEncoding?.trim().toLowerCase() === "snappy" ? undefined : contentEncoding;
    const bytes = inflateSnappy(inflateBody(body, wrapped, limits.bodyMax), limits.bodyMax);
    readPush(new ProtobufReader(bytes, "PushRequest"), builder);
  }
  return builder.result();
}

class RecordBuilder {
  readonly #records: LogRecord[] = [];
  readonly #limits: LogLimits;
  #rejected = 0;
  #error: string | undefined;
  #cuts = 0;

  constructor(limits: LogLimits) {
    this.#limits = limits;
  }

  stream(labels: Record<string, string>, where: string): LabelMap {
    const count = Object.keys(labels).length;
    if (count === 0)
      throw new IngestError("bad-labels", `${where}: a stream needs at least one label`);
    if (count > this.#limits.labels)
      throw new IngestError(
        "bad-labels",
        `${where}: ${count} labels, ${this.#limits.labels} are allowed; use structured metadata`,
      );
    return this.#cut(labels);
  }

  metadata(pairs: Map<string, string>): LabelMap {
    const { metadata } = this.#limits;
    if (pairs.size > metadata) this.#cuts++;
    return this.#cut(Object.fromEntries([...pairs].slice(0, metadata)));
  }

  line(timeNs: bigint, labels: LabelMap, metadata: LabelMap, line: string): void {
    const { lineChars, records } = this.#limits;
    if (line.length > lineChars) {
      this.#rejected++;
      this.#error ??= `Max entry size '${lineChars}' bytes exceeded for stream '${textOf(labels)}' while adding an entry with length '${line.length}' bytes`;
      return;
    }
    if (this.#records.length >= records)
      throw new IngestError(
        "too-large",
        `more than ${records} lines in one push: send fewer at a time`,
      );
    this.#records.push({ timeNs, labels, metadata, line });
  }

  result(): DecodedLogs {
    const counts = { records: this.#records, rejected: this.#rejected, cut: this.#cuts };
    return this.#error === undefined ? counts : { ...counts, error: this.#error };
  }

  #cut(labels: Record<string, string>): LabelMap {
    const { valueChars } = this.#limits;
    if (Object.values(labels).every((value) => value.length <= valueChars)) return labels;
    this.#cuts++;
    return Object.fromEntries(
      Object.entries(labels).map(([name, value]) => [name, value.slice(0, valueChars)]),
    );
  }
}

/** A stream as Loki writes it in messages. */
function textOf(labels: LabelMap): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}=${JSON.stringify(value)}`);
  const text = `{${pairs.join(", ")}}`;
  return text.length > 300 ? `${text.slice(0, 300)}…` : text;
}

const none: LabelMap = {};

function readJson(value: unknown, builder: RecordBuilder): void {
  const root = asObject(value, "");
  for (const [i, entry] of asList(root["streams"], "streams").entries()) {
    const path = `streams[${i}]`;
    const { stream, values } = asObject(entry, path);
    const labels = builder.stream(textMap(stream, `${path}.stream`), `${path}.stream`);
    for (const [j, item] of asList(values, `${path}.values`).entries()) {
      const at = `${path}.values[${j}]`;
      const [time, line, metadata] = asList(item, at);
      if (typeof time !== "string" || !/^[1-8]?\d{1,18}$/.test(time))
        badJson(`${at}[0]`, "a text of nanoseconds since 1970");
      const extra =
        metadata === undefined
          ? none
          : builder.metadata(new Map(Object.entries(textMap(metadata, `${at}[2]`))));
      if (typeof line !== "string") badJson(`${at}[1]`, "a text");
      builder.line(BigInt(time), labels, extra, asText(line, `${at}[1]`));
    }
  }
}

function textMap(value: unknown, path: string): Record<string, string> {
  const result: Record<string, string> = {};
  for (const [name, text] of Object.entries(asObject(value, path)))
    result[name] = asText(text, `${path}.${name}`);
  return result;
}

function readPush(reader: ProtobufReader, builder: RecordBuilder): void {
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) readStream(reader.message("StreamAdapter"), builder);
    else reader.skip();
  }
}

function readStream(reader: ProtobufReader, builder: RecordBuilder): void {
  let text = "";
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) text = reader.text();
    else reader.skip();
  }
  const labels = builder.stream(parseStreamLabels(text), "PushRequest.streams");
  reader.rewind();
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 2) readEntry(reader.message("EntryAdapter"), labels, builder);
    else reader.skip();
  }
}

function readEntry(reader: ProtobufReader, labels: LabelMap, builder: RecordBuilder): void {
  let timeNs = 0n;
  let line = "";
  let pairs: Map<string, string> | undefined;
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) timeNs = readTimestamp(reader.message("Timestamp"));
    else if (field === 2) line = reader.text();
    else if (field === 3)
      readPair(reader.message("LabelPairAdapter"), (pairs ??= new Map<string, string>()));
    else reader.skip();
  }
  if (timeNs <= 0n) throw new IngestError("bad-protobuf", "PushRequest: an entry has no timestamp");
  builder.line(timeNs, labels, pairs ? builder.metadata(pairs) : none, line);
}

function readTimestamp(reader: ProtobufReader): bigint {
  let seconds = 0n;
  let nanos = 0;
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) seconds = reader.int64();
    else if (field === 2) nanos = reader.int32();
    else reader.skip();
  }
  // Beyond this nanoseconds do not fit 64 bits.
  if (seconds > 9_000_000_000n || nanos < 0 || nanos > 999_999_999)
    throw new IngestError("bad-protobuf", "PushRequest: an entry's timestamp is out of range");
  return seconds * 1_000_000_000n + BigInt(nanos);
}

function readPair(reader: ProtobufReader, pairs: Map<string, string>): void {
  let name = "";
  let value = "";
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) name = reader.text();
    else if (field === 2) value = reader.text();
    else reader.skip();
  }
  pairs.set(name, value);
}
