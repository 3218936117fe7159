/**
 * A trace's spans in columns. They are read as blocks of Native and in no order: sorting is for those who want one. Spans
 * that were sent twice are told apart here, since ClickHouse would have to sort them for that; only of a trace with more
 * spans than are read of one must it tell which are the first.
 */
import type { ClickHouseClient } from "@clickhouse/client";
import type { FirstText, SpanColumns, TextColumn } from "@skopos/model";
import { attributeOf } from "./attribute-text.ts";
import { type DictionaryRows, NativeReader } from "./native-reader.ts";
import { Bindings, type QueryLimits, selectNative } from "./sql.ts";
import { firstSpansSql, traceSpansSql } from "./trace-sql.ts";

export interface ColumnsRequest {
  /** 32 hex digits; undefined when it is no trace id. */
  readonly traceId: string | undefined;
  readonly firstTexts: readonly FirstText[];
  readonly spansMax: number;
  readonly signal: AbortSignal | undefined;
}

export async function readTraceColumns(
  client: ClickHouseClient,
  limits: QueryLimits,
  request: ColumnsRequest,
): Promise<SpanColumns> {
  const { traceId, spansMax, signal } = request;
  if (traceId === undefined) return columnsOf(Buffer.alloc(0), request.firstTexts.length);
  const ask = async (tail: string) => {
    const bindings = new Bindings();
    const texts = request.firstTexts.map((first) => firstTextSql(bindings, first));
    const { place, where } = traceSpansSql(bindings, [traceId]);
    const query = `WITH (${place}) AS place SELECT ${[...shape, ...texts].join(", ")}
      FROM spans WHERE ${where} ${tail}`;
    const bytes = await selectNative(client, limits, query, bindings, signal);
    return columnsOf(bytes, request.firstTexts.length);
  };
  const all = await ask(`LIMIT ${spansMax + 1}`);
  const rows = all.id.length > spansMax ? await ask(firstSpansSql(spansMax)) : all;
  return withoutRepeated(rows);
}

/** In the order in which `columnsOf` reads them. */
const shape = [
  "span_id",
  "parent_span_id",
  "service",
  "name",
  "kind",
  "status",
  "start_ns",
  "duration_ns",
];

/** A text of attribute-text.ts; what is no string counts as none. */
function firstTextSql(bindings: Bindings, { scope, keys }: FirstText): string {
  const map = scope === "span" ? "attributes" : "resource";
  const texts = keys.map((key) => `${map}[${bindings.text(key)}]`);
  const found = texts.map((text) => `${text} != '' AND NOT startsWith(${text}, '\\x01'), ${text}`);
  return `toLowCardinality(multiIf(${[...found, "''"].join(", ")}))`;
}

function columnsOf(bytes: Buffer, firstTexts: number): SpanColumns {
  const spanIds: Buffer[] = [];
  const parentIds: Buffer[] = [];
  const service = new TextRows();
  const name = new TextRows();
  const kinds: Buffer[] = [];
  const statuses: Buffer[] = [];
  const starts: Int32Array[] = [];
  const durations: Int32Array[] = [];
  const texts = Array.from({ length: firstTexts }, () => new TextRows());
  const reader = new NativeReader(bytes);
  while (reader.block() !== undefined) {
    spanIds.push(reader.bytes(8));
    parentIds.push(reader.bytes(8));
    service.add(reader.dictionary());
    name.add(reader.dictionary());
    kinds.push(reader.bytes(1));
    statuses.push(reader.bytes(1));
    starts.push(reader.halves());
    durations.push(reader.halves());
    for (const text of texts) text.add(reader.dictionary());
  }
  const numbered = numberIds(Buffer.concat(spanIds), Buffer.concat(parentIds));
  const count = numbered.id.length;
  return {
    ...numbered,
    ...timesOf(starts, durations, count),
    service: service.column(count),
    name: name.column(count),
    kind: new Uint8Array(Buffer.concat(kinds)),
    status: new Uint8Array(Buffer.concat(statuses)),
    firstTexts: texts.map((text) => text.column(count, (found) => String(attributeOf(found)))),
  };
}

/** The halves of 64-bit numbers as numbers, less `base`; exact when what remains is below 2^53. */
function numbersOf(blocks: readonly Int32Array[], count: number, base: bigint): Float64Array {
  const low = Number(base & 0xffff_ffffn);
  const high = Number(base >> 32n);
  const numbers = new Float64Array(count);
  let row = 0;
  for (const halves of blocks)
    for (let i = 0; i < halves.length; i += 2)
      numbers[row++] = ((halves[i + 1] ?? 0) - high) * 2 ** 32 + ((halves[i] ?? 0) >>> 0) - low;
  return numbers;
}

function timesOf(
  starts: readonly Int32Array[],
  durations: readonly Int32Array[],
  count: number,
): Pick<SpanColumns, "originNs" | "startNs" | "durationNs"> {
  const [first] = starts;
  const base = first ? (BigInt(first[1] ?? 0) << 32n) + BigInt((first[0] ?? 0) >>> 0) : 0n;
  const startNs = numbersOf(starts, count, base);
  let least = 0;
  for (const ns of startNs) if (ns < least) least = ns;
  for (let row = 0; row < count; row++) startNs[row] = (startNs[row] ?? 0) - least;
  const durationNs = numbersOf(durations, count, 0n);
  return { originNs: base + BigInt(least), startNs, durationNs };
}

/** Blocks of a column, each with a dictionary of its own, as one column. */
class TextRows {
  readonly #indexOf = new Map<string, number>();
  readonly #blocks: DictionaryRows[] = [];

  add(rows: DictionaryRows): void {
    this.#blocks.push(rows);
  }

  column(count: number, read: (text: string) => string = (text) => text): TextColumn {
    const at = new Int32Array(count);
    let row = 0;
    for (const block of this.#blocks) {
      const places = Int32Array.from(block.texts, (text) => this.#index(read(text)));
      // oxlint-disable-next-line typescript/prefer-for-of -- typed arrays are walked faster by index
      for (let i = 0; i < block.at.length; i++) at[row++] = places[block.at[i] ?? 0] ?? 0;
    }
    return { texts: [...this.#indexOf.keys()], at };
  }

  #index(text: string): number {
    const known = this.#indexOf.get(text);
    if (known !== undefined) return known;
    this.#indexOf.set(text, this.#indexOf.size);
    return this.#indexOf.size - 1;
  }
}

const idBytes = 8;
const idChars = 2 * idBytes;
const noParent = "0".repeat(idChars);

function numberIds(
  spanIds: Buffer,
  parentIds: Buffer,
): Pick<SpanColumns, "ids" | "id" | "parentId"> {
  const own = spanIds.toString("hex");
  const parents = parentIds.toString("hex");
  const count = spanIds.length / idBytes;
  const indexOf = new Map<string, number>();
  const id = new Int32Array(count);
  for (let row = 0; row < count; row++) {
    const text = own.slice(row * idChars, (row + 1) * idChars);
    const known = indexOf.get(text);
    id[row] = known ?? indexOf.size;
    if (known === undefined) indexOf.set(text, indexOf.size);
  }
  const parentId = new Int32Array(count).fill(-1);
  for (let row = 0; row < count; row++) {
    const text = parents.slice(row * idChars, (row + 1) * idChars);
    if (text !== noParent) parentId[row] = indexOf.get(text) ?? -1;
  }
  return { ids: [...indexOf.keys()], id, parentId };
}

/** Of rows with the same id, kind and service the earliest, of those the longest. */
function withoutRepeated(columns: SpanColumns): SpanColumns {
  const { ids, id, service, kind, startNs, durationNs } = columns;
  if (ids.length === id.length) return columns;
  const kept = new Map<string, number>();
  for (let row = 0; row < id.length; row++) {
    const key = `${id[row]} ${kind[row]} ${service.at[row]}`;
    const other = kept.get(key);
    const later =
      other === undefined
        ? -1
        : (startNs[row] ?? 0) - (startNs[other] ?? 0) ||
          (durationNs[other] ?? 0) - (durationNs[row] ?? 0);
    if (later < 0) kept.set(key, row);
  }
  return kept.size === id.length ? columns : rowsOf(columns, [...kept.values()]);
}

function rowsOf(columns: SpanColumns, rows: readonly number[]): SpanColumns {
  const ints = (values: Int32Array) => Int32Array.from(rows, (row) => values[row] ?? 0);
  const bytes = (values: Uint8Array) => Uint8Array.from(rows, (row) => values[row] ?? 0);
  const numbers = (values: Float64Array) => Float64Array.from(rows, (row) => values[row] ?? 0);
  const texts = ({ texts: all, at }: TextColumn) => ({ texts: all, at: ints(at) });
  return {
    ids: columns.ids,
    id: ints(columns.id),
    parentId: ints(columns.parentId),
    service: texts(columns.service),
    name: texts(columns.name),
    kind: bytes(columns.kind),
    status: bytes(columns.status),
    originNs: columns.originNs,
    startNs: numbers(columns.startNs),
    durationNs: numbers(columns.durationNs),
    firstTexts: columns.firstTexts.map(texts),
  };
}
