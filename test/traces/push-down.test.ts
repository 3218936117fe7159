/**
 * What the store decides must be what the evaluator decides: on random traces and random queries, the engine over a real
 * ClickHouse is compared with one over a reader that rules nothing out and leaves every decision to the evaluator.
 */
import type { Span, TraceEngine, TraceReader } from "@skopos/model";
import { createTraceEngine, explain } from "@skopos/traceql";
import { parse, validate } from "@skopos/traceql/syntax";
import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type EmbeddedTraces, openEmbeddedTraces } from "./embedded-store.ts";

const startMs = 1_790_000_000_000;
const endMs = startMs + 60_000;
const range = { startMs, endMs };

const text = fc.constantFrom("a", "b", "", "it's", "ä\n", "5", "\u0001[1]", "true", "A.c");
const scalar = fc.oneof(text, fc.constantFrom(0, 5, -1.5, 1e9, 1e21), fc.boolean());
const value = fc.oneof(scalar, fc.array(scalar, { maxLength: 3 }));
// The last two have columns of their own in the store.
const key = fc.constantFrom("x", "y", "k'e\"y", "http.status_code", "k8s.pod.name");
const attributes = fc.dictionary(key, value, { maxKeys: 3 });

const spanShape = fc.record({
  service: fc.constantFrom("shop", "cart", "db"),
  name: fc.constantFrom("GET /", "SELECT", "it's"),
  kind: fc.constantFrom("client", "server", "internal"),
  status: fc.constantFrom("unset", "ok", "error"),
  statusMessage: fc.constantFrom("", "broken"),
  offsetMs: fc.nat(59_000),
  durationNs: fc.constantFrom(0, 1, 1000, 1024, 5e6, 3e9),
  scopeName: fc.constantFrom("", "lib"),
  attributes,
  resource: attributes,
  events: fc.array(
    fc.record({ name: fc.constantFrom("exception", "log"), afterNs: fc.nat(2000), attributes }),
    { maxLength: 2 },
  ),
  links: fc.array(fc.record({ attributes }), { maxLength: 1 }),
  parent: fc.option(fc.nat(5), { nil: undefined, freq: 5 }),
});

function traceOf(
  number: number,
  shapes: readonly (typeof spanShape extends fc.Arbitrary<infer S> ? S : never)[],
) {
  const traceId = (number + 1).toString(16).padStart(32, "0");
  const idOf = (i: number) => (number * 100 + i + 1).toString(16).padStart(16, "0");
  return shapes.map(({ offsetMs, parent, events, links, ...shape }, i): Span => {
    const startNs = BigInt(startMs + offsetMs) * 1_000_000n + BigInt(number * 100 + i);
    const parentIndex = parent !== undefined && i > 0 ? parent % i : undefined;
    return {
      ...shape,
      traceId,
      spanId: idOf(i),
      // Every seventh trace has lost its root.
      parentSpanId:
        parentIndex === undefined ? (number % 7 === 6 ? idOf(99) : "") : idOf(parentIndex),
      startNs,
      scopeVersion: "1",
      events: events.map(({ afterNs, ...event }) => ({
        ...event,
        timeNs: startNs + BigInt(afterNs),
      })),
      links: links.map((link) => ({ ...link, traceId: "f".repeat(32), spanId: "e".repeat(16) })),
    };
  });
}

const fields = fc.constantFrom(
  "span.x",
  "resource.x",
  ".x",
  ".y",
  '."k\'e\\"y"',
  "event.x",
  "link.y",
  "instrumentation.x",
  "span.http.status_code",
  ".http.status_code",
  "resource.k8s.pod.name",
  "resource.service.name",
);
const op = fc.constantFrom("=", "!=", ">", ">=", "<", "<=");
const literal = fc.constantFrom(
  '"a"',
  '""',
  "5",
  "0",
  "-1.5",
  "1s",
  "true",
  "false",
  '"\\u0001[1]"',
  '"A.c"',
  '"it\'s"',
);
/** With names both old and new. */
const ofWholeTraces = [
  'rootServiceName != "db"',
  'trace:rootService =~ "shop|db"',
  'trace:rootName !~ "G.*"',
  '"shop" = rootServiceName',
  "traceDuration > 20s",
  "trace:duration <= 30s",
  "1s >= trace:duration",
] as const;
const condition = fc.oneof(
  fc.tuple(fields, op, literal).map((parts) => parts.join(" ")),
  fc
    .tuple(
      fields,
      fc.constantFrom("=~", "!~"),
      fc.constantFrom('"a|b"', '"A.c"', '".*"', '".+\'.*"'),
    )
    .map((parts) => parts.join(" ")),
  fc
    .tuple(fields, fc.constantFrom("= nil", "!= nil"), fc.constant(""))
    .map((parts) => parts.join(" ")),
  fields.map((field) => `!${field}`),
  fields,
  fc.constantFrom(
    "status = error",
    "kind != server",
    'name =~ "G.*|S.*"',
    "duration >= 1ms",
    "1us < duration",
    "duration = 1024ns",
    'statusMessage = "broken"',
    'event:name = "exception"',
    "event:timeSinceStart > 1us",
    `link:traceID = "${"F".repeat(32)}"`,
    'link:spanID != "1"',
    'instrumentation:name = "lib"',
    'trace:id = "a"',
    'span:id = "65"',
    "span.x = error",
    "1 + 1 = 2",
    "span.x + 1 = 6",
    "span:childCount > 0",
    'rootName = "GET /"',
    ...ofWholeTraces,
    "nestedSetParent < 0",
  ),
);
const expression = fc
  .letrec<{ expr: string }>((tie) => ({
    expr: fc.oneof(
      { maxDepth: 3 },
      condition,
      fc
        .tuple(tie("expr"), fc.constantFrom("&&", "||"), tie("expr"))
        .map(([left, between, right]) => `(${left}) ${between} (${right})`),
      condition.map((inner) => `!(${inner})`),
    ),
  }))
  .expr.filter((expr) => {
    try {
      validate(parse(`{ ${expr} }`));
      return true;
    } catch {
      return false;
    }
  });
const filter = expression.map((expr) => `{ ${expr} }`);
const relation = fc.constantFrom(
  "&&",
  "||",
  ">",
  ">>",
  "<",
  "<<",
  "~",
  "!>",
  "!<<",
  "!~",
  "&>>",
  "&~",
);
const pipeline = fc.oneof(
  { weight: 3, arbitrary: filter },
  { weight: 3, arbitrary: fc.tuple(filter, relation, filter).map((parts) => parts.join(" ")) },
  {
    weight: 2,
    arbitrary: fc
      .tuple(
        filter,
        fc.constantFrom(
          "count() > 1",
          "max(duration) > 1ms",
          "by(resource.service.name) | count() = 2",
          "by(.x) | avg(duration) > 1us | coalesce()",
          "select(span.x, resource.service.name)",
          "sum(span.x) > 4",
        ),
      )
      .map((parts) => parts.join(" | ")),
  },
);
const metric = fc.constantFrom(
  "rate()",
  "count_over_time() by (resource.service.name, status)",
  "count_over_time() by (.x)",
  "avg_over_time(duration) by (name)",
  "min_over_time(span.x)",
  "max_over_time(.y) by (resource.x)",
  "sum_over_time(duration)",
  "quantile_over_time(duration, 0.5, 0.99) by (kind)",
  "histogram_over_time(duration)",
  "rate() by (event.x)",
  "rate() by (name) | topk(2) > 0.1",
  "compare({ status = error })",
);

let store: EmbeddedTraces;
let stored: TraceEngine;
let evaluated: TraceEngine;

/** Rules nothing out and decides nothing. */
function plainReader(traces: readonly Span[][]): TraceReader {
  const refused = () => Promise.reject(new Error("left to the store"));
  const byId = new Map(traces.map((spans) => [spans[0]?.traceId, spans]));
  return {
    trace: (id) => Promise.resolve(byId.get(id) ?? []),
    columns: refused,
    traces: (ids) => Promise.resolve(ids.flatMap((id) => [byId.get(id) ?? []])),
    candidates: () =>
      Promise.resolve(
        traces.map((spans) => ({
          traceId: spans[0]?.traceId ?? "",
          newestNs: spans[0]?.startNs ?? 0n,
        })),
      ),
    search: refused,
    aggregate: refused,
    tagNames: refused,
    fieldValues: refused,
    services: refused,
    operations: refused,
  };
}

/** The same query with a condition that always holds and that no store can decide. */
const undecided = (pipeline: string) =>
  pipeline.replaceAll("{", "{ nestedSetLeft > 0 && (").replaceAll("}", ") }");

beforeAll(async () => {
  const shapes = fc.sample(fc.array(spanShape, { minLength: 1, maxLength: 6 }), {
    numRuns: 40,
    seed: 11,
  });
  const traces = shapes.map((shape, i) => traceOf(i, shape));
  store = await openEmbeddedTraces();
  await store.append(traces.flat());
  // What is sent twice counts once.
  await store.append(traces.slice(0, 10).flat());
  stored = createTraceEngine(store.reader);
  evaluated = createTraceEngine(
    plainReader(traces.map((spans) => spans.sort((a, b) => (a.startNs < b.startNs ? -1 : 1)))),
  );
});

afterAll(() => store.close());

const pushed = (query: string) => explain(parse(query))[0]?.includes("here:") === false;

describe("a query on the store", { timeout: 180_000 }, () => {
  it("finds the traces and spans that evaluating it on every trace finds", async () => {
    const seen = { store: 0, candidates: 0, found: 0 };
    await fc.assert(
      fc.asyncProperty(pipeline, async (query) => {
        seen[pushed(query) ? "store" : "candidates"] += 1;
        const request = { ...range, limit: 100, spansPerSet: 10 };
        const [here, there] = await Promise.all([
          evaluated.search(undecided(query), request),
          stored.search(query, request),
        ]);
        seen.found += there.traces.length;
        const plain = (traces: typeof here.traces) =>
          traces
            .map(({ traceId, spanCount, spanSets }) => ({
              traceId,
              spanCount,
              sets: spanSets.map((set) => [
                set.matched,
                set.spans.map(({ spanId }) => spanId).sort(),
              ]),
            }))
            .sort((a, b) => (a.traceId < b.traceId ? -1 : 1));
        expect(plain(there.traces)).toEqual(plain(here.traces));
      }),
      { numRuns: 60, seed: 5 },
    );
    expect(seen.store).toBeGreaterThan(10);
    expect(seen.candidates).toBeGreaterThan(20);
    expect(seen.found).toBeGreaterThan(100);
  });

  it.each(ofWholeTraces)(
    "decides %s on whole traces, however short the time asked for",
    async (of) => {
      const query = `{ ${of} && status != ok }`;
      const request = { startMs: startMs + 20_000, endMs: startMs + 40_000, limit: 100 };
      const [here, there] = await Promise.all([
        evaluated.search(undecided(query), request),
        stored.search(query, request),
      ]);
      const ids = ({ traces }: typeof here) => traces.map(({ traceId }) => traceId).sort();
      expect(pushed(query)).toBe(true);
      expect(ids(there)).toEqual(ids(here));
      const summary = ({ traces }: typeof here) =>
        new Map(traces.map(({ traceId, serviceErrors }) => [traceId, serviceErrors]));
      expect(summary(there)).toEqual(summary(here));
    },
  );

  it("makes the series that evaluating it on every trace makes", async () => {
    let points = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.oneof({ weight: 2, arbitrary: filter }, { weight: 1, arbitrary: pipeline }),
        metric,
        async (spans, call) => {
          const query = `${spans} | ${call}`;
          const request = { ...range, stepMs: 17_000 };
          const [here, there] = await Promise.all([
            evaluated.metrics(`${undecided(spans)} | ${call}`, request),
            stored.metrics(query, request),
          ]);
          const plain = ({ value: result }: typeof here) =>
            result.type === "matrix"
              ? result.series
                  .map(({ labels, times, values }) => {
                    points += values.length;
                    return [
                      JSON.stringify(labels),
                      [...times],
                      [...values].map((v) => Number(v.toPrecision(12))),
                    ];
                  })
                  .sort()
              : [];
          expect(plain(there)).toEqual(plain(here));
        },
      ),
      { numRuns: 40, seed: 6 },
    );
    expect(points).toBeGreaterThan(200);
  });
});
