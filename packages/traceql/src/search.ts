/** Answers a query that finds traces. */
import type {
  Attributes,
  AttributeValue,
  FoundTrace,
  MatchedSpan,
  Span,
  SpanSet,
  TraceMatch,
  TraceReader,
  TraceSearchRequest,
  TraceSearchResult,
} from "@skopos/model";
import { type Getter, getter } from "./eval/fields.ts";
import { compilePipeline, type EvaluatedSet, plainValue } from "./eval/spansets.ts";
import { plantTrace, type TraceTree } from "./eval/trace-tree.ts";
import { newReadingState, readCandidates, readingWarnings } from "./plan/candidates.ts";
import { planSpans } from "./plan/plan.ts";
import { summarise } from "./summary.ts";
import type { Stage } from "./syntax/ast.ts";
import { formatField } from "./syntax/fields.ts";
import { fieldsOf } from "./syntax/walk.ts";

const spansPerSetUsual = 3;
const nsPerMs = 1_000_000n;

export async function searchTraces(
  reader: TraceReader,
  stages: readonly Stage[],
  request: TraceSearchRequest,
): Promise<TraceSearchResult> {
  const plan = planSpans(stages);
  const spansPerSet = request.spansPerSet ?? spansPerSetUsual;
  const shown = shownFields(stages);
  if (plan.type === "store") {
    const found = await reader.search({ ...request, where: plan.where, spansMax: spansPerSet });
    return { traces: found.map((trace) => storeMatch(trace, shown)), warnings: [], spansRead: 0 };
  }
  const state = newReadingState();
  const evaluate = compilePipeline(stages);
  const traces: TraceMatch[] = [];
  const { signal, limit } = request;
  const reading = { reader, where: plan.where, range: request, signal };
  if (limit > 0) {
    for await (const spans of readCandidates(reading, state)) {
      const tree = plantTrace(spans);
      const match = evaluated(tree, evaluate(tree), request, spansPerSet, shown);
      if (match) traces.push(match);
      if (traces.length >= limit) break;
    }
  }
  return { traces, warnings: readingWarnings(state), spansRead: state.spansRead };
}

/** Searches whole traces that are at hand, one by one. */
export function traceMatcher(
  stages: readonly Stage[],
): (spans: readonly Span[], request: TraceSearchRequest) => TraceMatch | undefined {
  const evaluate = compilePipeline(stages);
  const shown = shownFields(stages);
  return (spans, request) => {
    const tree = plantTrace(spans);
    const spansPerSet = request.spansPerSet ?? spansPerSetUsual;
    return evaluated(tree, evaluate(tree), request, spansPerSet, shown);
  };
}

type ShownField = readonly [name: string, value: Getter];

/** Fields that the query names or selects, but those that every matched span has anyway. */
function shownFields(stages: readonly Stage[]): ShownField[] {
  const shown = new Map<string, Getter>();
  for (const field of fieldsOf(stages)) {
    const name = formatField(field);
    if (name !== "name" && name !== "duration") shown.set(name, getter(field));
  }
  return [...shown];
}

function storeMatch(found: FoundTrace, shown: readonly ShownField[]): TraceMatch {
  const tree = plantTrace(found.spans);
  const spans = found.spans.map((span, i) => matchedSpan(span, tree, i, shown));
  return { ...found.summary, spanSets: [{ matched: found.matchedCount, attributes: {}, spans }] };
}

function evaluated(
  tree: TraceTree,
  sets: readonly EvaluatedSet[],
  { startMs, endMs }: TraceSearchRequest,
  spansPerSet: number,
  shown: readonly ShownField[],
): TraceMatch | undefined {
  const fromNs = BigInt(Math.floor(startMs)) * nsPerMs;
  const toNs = BigInt(Math.ceil(endMs)) * nsPerMs;
  const inRange = ({ startNs }: Span) => startNs >= fromNs && startNs <= toNs;
  if (!sets.some(({ marks }) => tree.spans.some((span, i) => marks[i] === 1 && inRange(span))))
    return undefined;
  const spanSets = sets.map((set) => spanSetOf(tree, set, spansPerSet, shown));
  const ids = spanSets.flatMap((set) => set.spans.map(({ spanId }) => spanId));
  return { ...summarise(tree), matched: [...new Set(ids)].slice(0, 3).sort(), spanSets };
}

function spanSetOf(
  tree: TraceTree,
  { marks, attributes }: EvaluatedSet,
  spansPerSet: number,
  shown: readonly ShownField[],
): SpanSet {
  const spans: MatchedSpan[] = [];
  let matched = 0;
  for (const [i, span] of tree.spans.entries()) {
    if (marks[i] !== 1) continue;
    matched += 1;
    if (spans.length < spansPerSet) spans.push(matchedSpan(span, tree, i, shown));
  }
  return { matched, attributes: Object.fromEntries(attributes), spans };
}

function matchedSpan(
  span: Span,
  tree: TraceTree,
  index: number,
  shown: readonly ShownField[],
): MatchedSpan {
  const { spanId, service, name, startNs, durationNs } = span;
  return {
    spanId,
    service,
    name,
    startNs,
    durationNs,
    attributes: valuesOf(span, tree, index, shown),
  };
}

function valuesOf(
  span: Span,
  tree: TraceTree,
  index: number,
  shown: readonly ShownField[],
): Attributes {
  const values: [string, AttributeValue][] = [];
  for (const [name, get] of shown) {
    const value = plainValue(get(span, tree, index));
    if (value !== undefined) values.push([name, value]);
  }
  return Object.fromEntries(values);
}
