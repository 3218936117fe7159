/**
 * Requests that are made once and sent many times: ids, request ids and times are overwritten in place, so that everything
 * sent is distinct and the generator costs next to nothing. What repeats otherwise does so hundreds of thousands of rows
 * apart, further than any compression looks.
 */
import type { LabelMap, Span } from "@skopos/model";
import { type Exchange, accessLine } from "./mesh-traffic.ts";

const uuid = /[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}/g;

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80);
  bytes.push(rest);
  return bytes;
}

function field(number: number, body: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([...varint((number << 3) | 2), ...varint(body.length)]), body]);
}

const text = (number: number, value: string) => field(number, Buffer.from(value));
const int = (number: number, value: number) =>
  Buffer.from([...varint(number << 3), ...varint(value)]);

function fixed64(number: number, value: bigint): Buffer {
  const bytes = Buffer.alloc(9);
  bytes[0] = (number << 3) | 1;
  bytes.writeBigUInt64LE(value, 1);
  return bytes;
}

/** Where every match of the pattern begins, in a text of a character for each byte. */
function placesOf(bytes: Buffer, pattern: RegExp): number[] {
  return [...bytes.toString("latin1").matchAll(pattern)].map(({ index }) => index);
}

/** Makes the request ids at `places` others, by `key`: all with one id get the same new one. */
function changeUuids(bytes: Buffer, places: readonly number[], key: number): void {
  for (const at of places) {
    const word = Number.parseInt(bytes.toString("latin1", at, at + 8), 16);
    bytes.write(((word ^ key) >>> 0).toString(16).padStart(8, "0"), at, "latin1");
  }
}

function keyValue(number: number, key: string, value: unknown): Buffer {
  const any = typeof value === "number" ? int(3, value) : text(1, String(value));
  return field(number, Buffer.concat([text(1, key), field(2, any)]));
}

const kinds = ["unspecified", "internal", "server", "client", "producer", "consumer"];

function spanBytes(span: Span): Buffer {
  const attributes = Object.entries(span.attributes).map(([key, value]) => keyValue(9, key, value));
  return Buffer.concat([
    field(1, Buffer.from(span.traceId, "hex")),
    field(2, Buffer.from(span.spanId, "hex")),
    field(4, Buffer.from(span.parentSpanId, "hex")),
    text(5, span.name),
    int(6, kinds.indexOf(span.kind)),
    fixed64(7, span.startNs),
    fixed64(8, span.startNs + BigInt(span.durationNs)),
    ...attributes,
    field(
      15,
      span.status === "error"
        ? Buffer.concat([text(2, span.statusMessage), int(3, 2)])
        : Buffer.alloc(0),
    ),
  ]);
}

/** An ExportTraceServiceRequest. */
export class SpanTemplate {
  readonly spans: number;
  readonly traceIds: readonly string[];
  readonly requestIds: readonly string[];
  readonly #bytes: Buffer;
  readonly #ids: number[] = [];
  readonly #times: number[] = [];
  readonly #uuids: readonly number[];

  constructor(spans: readonly Span[]) {
    this.spans = spans.length;
    this.traceIds = [...new Set(spans.map(({ traceId }) => traceId))];
    this.requestIds = [
      ...new Set(spans.map(({ attributes }) => String(attributes["guid:x-request-id"] ?? ""))),
    ].filter((id) => id !== "");
    const resources = grouped(spans);
    const ordered: Span[] = [];
    const parts = [...resources].map(([resource, own]) => {
      ordered.push(...own);
      const attributes = Object.entries(resource).map(([key, value]) => keyValue(1, key, value));
      const scope = field(1, text(1, own[0]?.scopeName ?? ""));
      const scoped = Buffer.concat([scope, ...own.map((span) => field(2, spanBytes(span)))]);
      return field(1, Buffer.concat([field(1, Buffer.concat(attributes)), field(2, scoped)]));
    });
    this.#bytes = Buffer.concat(parts);
    let at = 0;
    for (const span of ordered) {
      at = this.#bytes.indexOf(Buffer.from(span.traceId, "hex"), at);
      this.#ids.push(at);
      at = this.#bytes.indexOf(Buffer.from(span.spanId, "hex"), at + 16);
      this.#ids.push(at);
      // Its tag and length lie between; a root has nothing there.
      if (span.parentSpanId !== "") this.#ids.push(at + 10);
      at = this.#bytes.indexOf(fixed64(7, span.startNs), at) + 1;
      this.#times.push(at, at + 9);
    }
    this.#uuids = placesOf(this.#bytes, uuid);
  }

  /** The request with other ids, by `key`, and times later by `shiftNs`. */
  request(key: number, shiftNs: bigint): Uint8Array<ArrayBuffer> {
    const bytes = Buffer.from(this.#bytes);
    for (const at of this.#ids) bytes.writeUInt32BE((bytes.readUInt32BE(at) ^ key) >>> 0, at);
    for (const at of this.#times) bytes.writeBigUInt64LE(bytes.readBigUInt64LE(at) + shiftNs, at);
    changeUuids(bytes, this.#uuids, key);
    return bytes;
  }
}

/** What an id of the template's is in the request of `key`. */
export function changedId(id: string, key: number): string {
  const word = (Number.parseInt(id.slice(0, 8), 16) ^ key) >>> 0;
  return word.toString(16).padStart(8, "0") + id.slice(8);
}

function grouped(spans: readonly Span[]): Map<Span["resource"], Span[]> {
  const groups = new Map<Span["resource"], Span[]>();
  for (const span of spans) groups.set(span.resource, [...(groups.get(span.resource) ?? []), span]);
  return groups;
}

const nsPerSecond = 1_000_000_000n;
const isoSecondChars = 19;

function labelsOf({ at }: Exchange): LabelMap {
  return {
    namespace: "shop",
    app: at.name,
    pod: at.pod,
    container: "istio-proxy",
    job: "istio-proxy",
  };
}

/** A block of snappy that holds its content as it is: valid, and free to make. */
function uncompressed(body: Buffer): Uint8Array<ArrayBuffer> {
  const parts: Buffer[] = [Buffer.from(varint(body.length))];
  for (let at = 0; at < body.length; at += 65_536) {
    const piece = body.subarray(at, at + 65_536);
    const length = piece.length - 1;
    parts.push(Buffer.from([61 << 2, length & 255, length >> 8]), piece);
  }
  return Buffer.concat(parts);
}

/** A push of Loki's, of access-log lines. */
export class LineTemplate {
  readonly lines: number;
  readonly requestIds: readonly string[];
  readonly #bytes: Buffer;
  readonly #seconds: readonly number[];
  readonly #texts: readonly number[];
  readonly #uuids: readonly number[];

  constructor(exchanges: readonly Exchange[]) {
    this.lines = exchanges.length;
    this.requestIds = [...new Set(exchanges.map(({ requestId }) => requestId))];
    const streams = new Map<string, Exchange[]>();
    for (const exchange of exchanges)
      streams.set(exchange.at.pod, [...(streams.get(exchange.at.pod) ?? []), exchange]);
    const parts = [...streams.values()].flatMap((own) => {
      const [first] = own;
      if (!first) return [];
      const labels = Object.entries(labelsOf(first)).map(([key, value]) => `${key}="${value}"`);
      const entries = own.map((exchange) => {
        const seconds = Number(exchange.startNs / nsPerSecond);
        const nanos = Number(exchange.startNs % nsPerSecond);
        const time = field(1, Buffer.concat([int(1, seconds), int(2, nanos)]));
        return field(2, Buffer.concat([time, text(2, accessLine(exchange))]));
      });
      return [field(1, Buffer.concat([text(1, `{${labels.join(", ")}}`), ...entries]))];
    });
    this.#bytes = Buffer.concat(parts);
    // An entry's time: tag, length, then the seconds, five bytes of varint, before the nanoseconds' tag.
    this.#seconds = placesOf(this.#bytes, /\x0a[\x08-\x0c]\x08[\x80-\xff]{4}[\0-\x7f]\x10/g).map(
      (at) => at + 3,
    );
    this.#texts = placesOf(this.#bytes, /\[\d{4}-\d\d-\d\dT/g).map((at) => at + 1);
    if (this.#seconds.length !== this.lines || this.#texts.length !== this.lines)
      throw new Error(`${this.lines} lines, ${this.#seconds.length} times found`);
    this.#uuids = placesOf(this.#bytes, uuid);
  }

  /** As of `SpanTemplate`; the shift in whole seconds. */
  request(key: number, shiftSeconds: number): Uint8Array<ArrayBuffer> {
    const bytes = Buffer.from(this.#bytes);
    for (const at of this.#seconds) {
      let seconds = 0;
      for (let i = 4; i >= 0; i--) seconds = seconds * 128 + ((bytes[at + i] ?? 0) & 127);
      bytes.set(varint(seconds + shiftSeconds), at);
    }
    for (const at of this.#texts) {
      const was = Date.parse(`${bytes.toString("latin1", at, at + isoSecondChars)}Z`);
      const time = new Date(was + shiftSeconds * 1000).toISOString();
      bytes.write(time.slice(0, isoSecondChars), at, "latin1");
    }
    changeUuids(bytes, this.#uuids, key);
    return uncompressed(bytes);
  }

  /** The bare lines, as a log file has them. */
  static text(exchanges: readonly Exchange[]): string {
    return exchanges.map((exchange) => `${accessLine(exchange)}\n`).join("");
  }
}
