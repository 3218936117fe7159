/** What every `TraceReader` must do. */
import assert from "node:assert/strict";
import {
  type FirstText,
  type Span,
  type SpanColumns,
  type SpanCondition,
  spanKinds,
  spanStatuses,
  type TextColumn,
  type SpanField,
  type SpanIntrinsic,
  type SpanPredicate,
  type SpanSink,
  type TracePredicate,
  type TraceReader,
} from "@skopos/model";
import { blankSpan } from "./spans.ts";
import type { ContractCase } from "./metric-reader-contract.ts";
import { once } from "./once.ts";

export interface TraceFixture {
  readonly sink: SpanSink;
  readonly reader: TraceReader;
  /** Resolves when what was appended can be read. */
  readonly settled: () => Promise<void>;
}

const startMs = 1_790_000_000_000;
const endMs = startMs + 600_000;
const hex = (digit: string, size: number) => digit.repeat(size);

function span(traceId: string, spanId: string, more: Partial<Span>): Span {
  return blankSpan({
    traceId,
    spanId,
    parentSpanId: "",
    service: "frontend",
    name: "GET /",
    kind: "server",
    startNs: BigInt(startMs) * 1_000_000n,
    durationNs: 5_000_000,
    ...more,
  });
}

const at = (offsetMs: number) => BigInt(startMs + offsetMs) * 1_000_000n;

/** Three traces, a second apart: one plain, one slow with an error below its root, one with everything a span can carry. */
const plain = [span(hex("a", 32), hex("1", 16), { startNs: at(1000) })];
const failing = [
  span(hex("b", 32), hex("2", 16), {
    startNs: at(2000),
    durationNs: 900_000_000,
    resource: { "k8s.namespace.name": "shop" },
  }),
  span(hex("b", 32), hex("3", 16), {
    parentSpanId: hex("2", 16),
    service: "user-service",
    name: "GET /users/{id}",
    startNs: at(2100),
    durationNs: 700_000_000,
    status: "error",
    statusMessage: "pool exhausted",
    attributes: { "http.status_code": 503, "upstream's": "user-db" },
  }),
  span(hex("b", 32), hex("3", 16), {
    parentSpanId: hex("2", 16),
    kind: "client",
    name: "GET /users/{id}",
    startNs: at(2099),
    durationNs: 702_000_000,
    attributes: { "http.status_code": 503, retried: true },
  }),
];
const rich = span(hex("c", 32), hex("4", 16), {
  service: "ümläut ✓",
  name: "tab\tnew\nline\\'quote'",
  kind: "consumer",
  startNs: at(3000) + 123n,
  durationNs: 1,
  status: "ok",
  attributes: {
    text: "it's",
    empty: "",
    number: -1.5,
    big: 1e21,
    yes: true,
    no: false,
    list: ["a", "b'", "\n"],
    numbers: [1, 2.5],
    looksLikeNumber: "42",
    control: "\u0001[1]",
    nul: "a\u0000b",
  },
  resource: { "service.name": "ümläut ✓", pid: 7 },
  scopeName: "scope",
  scopeVersion: "1.0",
  events: [{ timeNs: at(3000) + 124n, name: "exception", attributes: { line: 12, why: "x" } }],
  links: [{ traceId: hex("a", 32), spanId: hex("1", 16), attributes: { weak: true } }],
});

/** Its id is of 64 bits; it is later than the range that the others are searched in. */
const short = span(`${hex("0", 16)}${hex("e", 16)}`, hex("5", 16), {
  startNs: at(700_000),
  service: "legacy",
});

async function write({ sink, settled }: TraceFixture): Promise<void> {
  await sink.append(plain);
  await sink.append(failing);
  // What a sender repeats, because an answer was lost, is there once.
  await sink.append([...failing, rich, short]);
  await settled();
}

async function found(reader: TraceReader, ...conditions: SpanCondition[]): Promise<string> {
  const where = { type: "all", of: conditions } as const;
  const traces = await reader.search({ where, startMs, endMs, limit: 20, spansMax: 1 });
  return traces.map(({ summary }) => summary.traceId.slice(0, 1)).join("");
}

const intrinsic = (name: SpanIntrinsic, op: SpanCondition["op"], value: string | number) =>
  ({ type: "condition", field: { scope: "intrinsic", name }, op, value }) as const;
const attribute = (
  scope: Exclude<SpanField["scope"], "intrinsic">,
  name: string,
  op: SpanCondition["op"],
  value: string | number | boolean,
) => ({ type: "condition", field: { scope, name }, op, value }) as const;

/** Conditions, and the first digits of the traces that they find, newest first. */
const searches: readonly (readonly [string, string, ...SpanCondition[]])[] = [
  ["nothing asked", "cba"],
  ["a service", "ba", intrinsic("service", "=", "frontend")],
  ["another service than", "cb", intrinsic("service", "!=", "frontend")],
  ["a service by pattern", "ba", intrinsic("service", "=~", "front.*|nobody")],
  ["a pattern that only matches a part", "", intrinsic("service", "=~", "front")],
  ["a name", "b", intrinsic("name", "=", "GET /users/{id}")],
  ["a name with everything in it", "c", intrinsic("name", "=", rich.name)],
  ["a kind", "c", intrinsic("kind", "=", "consumer")],
  ["a status", "b", intrinsic("status", "=", "error")],
  ["slow spans", "b", intrinsic("durationNs", ">", 500e6)],
  ["fast spans", "c", intrinsic("durationNs", "<", 1e6)],
  ["a number attribute", "b", attribute("span", "http.status_code", "=", 503)],
  ["a number attribute at least", "b", attribute("span", "http.status_code", ">=", 500)],
  ["a number attribute at most", "", attribute("span", "http.status_code", "<=", 500)],
  ["a negative number", "c", attribute("span", "number", "<", 0)],
  ["a boolean attribute", "b", attribute("span", "retried", "=", true)],
  ["a text attribute", "c", attribute("span", "text", "=", "it's")],
  ["an empty text attribute", "c", attribute("span", "empty", "=", "")],
  ["a text that looks like a number", "c", attribute("span", "looksLikeNumber", "=", "42")],
  ["a number where a text is", "", attribute("span", "looksLikeNumber", "=", 42)],
  ["an attribute with a quote in its name", "b", attribute("any", "upstream's", "=~", "user-.*")],
  ["another value of an attribute", "b", attribute("span", "upstream's", "!=", "post-db")],
  ["an attribute that is there", "c", attribute("span", "list", "exists", "")],
  ["a resource attribute", "b", attribute("resource", "k8s.namespace.name", "=", "shop")],
  ["a resource attribute on the span", "", attribute("span", "k8s.namespace.name", "=", "shop")],
  ["a resource attribute anywhere", "b", attribute("any", "k8s.namespace.name", "=", "shop")],
  [
    "two conditions on one span",
    "b",
    intrinsic("service", "=", "user-service"),
    attribute("span", "http.status_code", "=", 503),
  ],
  [
    "two conditions on different spans",
    "",
    intrinsic("service", "=", "user-service"),
    attribute("span", "retried", "=", true),
  ],
];

/** The cases share one fixture, which is opened and filled with the first of them. */
const askedTexts: readonly FirstText[] = [
  { scope: "resource", keys: ["k8s.namespace.name", "service.namespace"] },
  { scope: "span", keys: ["none has it", "http.status_code", "upstream's"] },
];

/** A span as columns tell it; a parent that is not among the spans is none. */
function toldOf(of: Span, _index: number, all: readonly Span[]) {
  const firstOf = ({ scope, keys }: FirstText) => {
    const attributes = scope === "span" ? of.attributes : of.resource;
    const texts = keys.map((key) => attributes[key]);
    return texts.find((text) => typeof text === "string" && text !== "") ?? "";
  };
  const isThere = all.some(({ spanId }) => spanId === of.parentSpanId);
  const { spanId, service, name, kind, status, startNs, durationNs } = of;
  return {
    spanId,
    parentSpanId: isThere ? of.parentSpanId : "",
    service,
    name,
    kind,
    status,
    startNs,
    durationNs,
    texts: askedTexts.map(firstOf),
  };
}

/** By start time. */
function told(columns: SpanColumns) {
  const textAt = ({ texts, at }: TextColumn, row: number) => texts[at[row] ?? -1];
  return Array.from(columns.id, (id, row) => ({
    spanId: columns.ids[id],
    parentSpanId: columns.ids[columns.parentId[row] ?? -1] ?? "",
    service: textAt(columns.service, row),
    name: textAt(columns.name, row),
    kind: spanKinds[columns.kind[row] ?? -1],
    status: spanStatuses[columns.status[row] ?? -1],
    startNs: columns.originNs + BigInt(columns.startNs[row] ?? 0),
    durationNs: columns.durationNs[row],
    texts: columns.firstTexts.map((text) => textAt(text, row)),
  })).sort((a, b) => Number(a.startNs - b.startNs));
}

export function traceReaderContract(open: () => Promise<TraceFixture>): readonly ContractCase[] {
  const fixture = once(async () => {
    const opened = await open();
    await write(opened);
    return opened;
  });
  const reading = (name: string, check: (reader: TraceReader) => Promise<void>): ContractCase => ({
    name,
    run: async () => check((await fixture()).reader),
  });
  return [
    reading("gives a span back as it came, with the types of its attributes", async (reader) => {
      assert.deepEqual(await reader.trace(rich.traceId), [rich]);
    }),
    reading("gives a trace's spans by start time, each once", async (reader) => {
      const spans = await reader.trace(hex("b", 32));
      assert.deepEqual(spans, [failing[0], failing[2], failing[1]]);
    }),
    reading("gives at least the attributes and spans that are asked for", async (reader) => {
      const [key = ""] = Object.keys(rich.attributes);
      const parts = { attributes: [key], spanIds: [rich.spanId] };
      const [lean, ...others] = await reader.trace(rich.traceId, undefined, undefined, parts);
      assert.deepEqual(others, []);
      assert.deepEqual(lean?.attributes[key], rich.attributes[key]);
      const plain = (span: Span | undefined) => [
        span?.spanId,
        span?.parentSpanId,
        span?.service,
        span?.name,
        span?.kind,
        span?.startNs,
        span?.durationNs,
        span?.status,
        span?.statusMessage,
      ];
      assert.deepEqual(plain(lean), plain(rich));
    }),
    reading("gives the same spans in columns, each once", async (reader) => {
      for (const { traceId } of [rich, ...failing]) {
        const spans = await reader.trace(traceId);
        assert.deepEqual(told(await reader.columns(traceId, askedTexts)), spans.map(toldOf));
      }
    }),
    reading("knows nothing of an unknown trace", async (reader) => {
      assert.deepEqual((await reader.columns(hex("d", 32), askedTexts)).ids, []);
      assert.deepEqual((await reader.columns("' OR 1 = 1 --", askedTexts)).ids, []);
      assert.deepEqual(await reader.trace(hex("d", 32)), []);
      assert.deepEqual(await reader.trace("' OR 1 = 1 --"), []);
    }),
    ...searches.map(([what, traces, ...conditions]) =>
      reading(`finds ${what}`, async (reader) => {
        assert.equal(await found(reader, ...conditions), traces);
      }),
    ),
    reading("sums a trace up, with the spans that matched", async (reader) => {
      const where = intrinsic("status", "=", "error");
      const [found] = await reader.search({ where, startMs, endMs, limit: 5, spansMax: 5 });
      assert.deepEqual(found, {
        summary: {
          traceId: hex("b", 32),
          rootService: "frontend",
          rootName: "GET /",
          startNs: at(2000),
          durationNs: 900_000_000,
          spanCount: 3,
          errorCount: 1,
          services: { frontend: 2, "user-service": 1 },
          serviceErrors: { "user-service": 1 },
          matched: [hex("3", 16)],
        },
        matchedCount: 1,
        spans: [failing[1]],
      });
    }),
    reading("keeps to the limit, newest first, and to the time range", async (reader) => {
      const every = { where: { type: "all", of: [] }, startMs, endMs, limit: 2 } as const;
      const traces = await reader.search({ ...every, spansMax: 2 });
      assert.deepEqual(
        traces.map(({ summary, matchedCount, spans }) => [
          summary.traceId[0],
          matchedCount,
          spans.length,
        ]),
        [
          ["c", 1, 1],
          ["b", 3, 2],
        ],
      );
      const early = await reader.search({ ...every, endMs: startMs + 1500, spansMax: 0 });
      assert.deepEqual(
        early.map(({ summary, spans }) => [summary.traceId[0], spans]),
        [["a", []]],
      );
    }),
    reading(
      "finds a trace by an id that lacks its leading zeros, and within a time",
      async (reader) => {
        const full = short.traceId;
        assert.deepEqual(await reader.trace(full.replace(/^0+/, "")), [short]);
        assert.deepEqual(await reader.trace(full.slice(16).toUpperCase()), [short]);
        assert.deepEqual(await reader.trace(full, undefined, { startMs, endMs }), [short]);
      },
    ),
    reading("gives several traces in the order asked for", async (reader) => {
      const ids = [rich.traceId, hex("d", 32), short.traceId.slice(16)];
      assert.deepEqual(await reader.traces(ids, { spansMax: 10 }), [[rich], [short]]);
      assert.deepEqual(await reader.traces([], { spansMax: 10 }), []);
      await assert.rejects(reader.traces([hex("b", 32)], { spansMax: 2 }), { code: "limit" });
    }),
    reading("names traces on which several spans together fulfil what is asked", async (reader) => {
      const has = (where: SpanPredicate) => ({ type: "has", where }) as const;
      const slow = has(intrinsic("durationNs", ">", 500e6));
      const kinds = (["server", "client"] as const).map((kind) =>
        has(intrinsic("kind", "=", kind)),
      );
      const named = async (where: TracePredicate, limit = 10) => {
        const found = await reader.candidates({ where, startMs, endMs, limit });
        return found.map(({ traceId }) => traceId[0]).join("");
      };
      assert.equal(await named({ type: "all", of: kinds }), "b");
      assert.equal(await named({ type: "any", of: kinds }), "ba");
      assert.equal(await named({ type: "all", of: [slow, { type: "any", of: kinds }] }), "b");
      assert.equal(await named({ type: "all", of: [] }), "cba");
      assert.equal(await named({ type: "any", of: [] }), "");
      assert.equal(await named({ type: "all", of: [] }, 2), "cb");
    }),
    reading("counts and measures spans by step and field, each once", async (reader) => {
      const { rows, warnings } = await reader.aggregate({
        where: intrinsic("service", "!=", "nobody"),
        by: [
          { scope: "intrinsic", name: "service" },
          { scope: "span", name: "http.status_code" },
        ],
        value: { scope: "intrinsic", name: "durationNs" },
        exponents: false,
        startMs,
        endMs: startMs + 2500,
        stepMs: 2000,
        rowsMax: 100,
      });
      const first = { timeMs: startMs + 2000, exponent: 0 };
      const second = { timeMs: startMs + 4000, exponent: 0 };
      const once = (value: number) => ({ count: 1, sum: value, min: value, max: value });
      assert.deepEqual(warnings, []);
      assert.deepEqual(
        [...rows].sort((a, b) => a.timeMs - b.timeMs || a.sum - b.sum),
        [
          {
            ...first,
            by: ["frontend", undefined],
            count: 2,
            sum: 905_000_000,
            min: 5_000_000,
            max: 900_000_000,
          },
          { ...second, by: ["user-service", 503], ...once(700_000_000) },
          { ...second, by: ["frontend", 503], ...once(702_000_000) },
        ],
      );
    }),
    reading("sorts values into powers of two, and refuses too many rows", async (reader) => {
      const request = {
        where: { type: "all", of: [] },
        by: [],
        value: { scope: "span", name: "http.status_code" },
        exponents: true,
        startMs,
        endMs,
        stepMs: 600_000,
        rowsMax: 100,
      } as const;
      const { rows } = await reader.aggregate(request);
      assert.deepEqual(
        rows.map(({ exponent, count }) => [exponent, count]),
        [[9, 2]],
      );
      const byName = { ...request, value: { scope: "intrinsic", name: "durationNs" } } as const;
      await assert.rejects(reader.aggregate({ ...byName, rowsMax: 1 }), { code: "limit" });
    }),
    reading("lists the names of attributes, and the values of fields", async (reader) => {
      const range = { startMs, endMs, limit: 100 };
      const names = (scope: "span" | "resource" | "event" | "link") =>
        reader.tagNames({ ...range, scope });
      assert.deepEqual(await names("resource"), ["k8s.namespace.name", "pid", "service.name"]);
      assert.deepEqual(await names("event"), ["line", "why"]);
      assert.deepEqual(await names("link"), ["weak"]);
      assert.ok((await names("span")).includes("looksLikeNumber"));
      const every = { type: "all", of: [] } as const;
      const values = (field: SpanField, where: SpanPredicate = every) =>
        reader.fieldValues({ ...range, field, where });
      assert.deepEqual(await values({ scope: "span", name: "http.status_code" }), [503]);
      assert.deepEqual(await values({ scope: "span", name: "list" }), [["a", "b'", "\n"]]);
      assert.deepEqual(await values({ scope: "event", name: "line" }), [12]);
      assert.deepEqual(await values({ scope: "intrinsic", name: "eventName" }), ["exception"]);
      const failed = intrinsic("status", "=", "error");
      assert.deepEqual(await values({ scope: "intrinsic", name: "service" }, failed), [
        "user-service",
      ]);
    }),
    reading("lists services, and a service's operations", async (reader) => {
      assert.deepEqual(await reader.services(startMs, endMs), [
        "frontend",
        "user-service",
        "ümläut ✓",
      ]);
      assert.deepEqual(await reader.operations("frontend", startMs, endMs), [
        "GET /",
        "GET /users/{id}",
      ]);
      assert.deepEqual(await reader.operations("nobody", startMs, endMs), []);
      assert.deepEqual(await reader.services(startMs - 2000, startMs - 1000), []);
    }),
    reading("refuses a broken pattern as a bad query", async (reader) => {
      const where = intrinsic("service", "=~", "(");
      await assert.rejects(reader.search({ where, startMs, endMs, limit: 1, spansMax: 1 }), {
        code: "bad-query",
      });
    }),
    reading("stops when told", async (reader) => {
      const where = { type: "all", of: [] } as const;
      const signal = AbortSignal.abort();
      await assert.rejects(
        reader.search({ where, startMs, endMs, limit: 1, spansMax: 1, signal }),
        { code: "cancelled" },
      );
    }),
  ];
}
