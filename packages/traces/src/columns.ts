/** Spans as columns, for what is computed from columns alone. */
import {
  type FirstText,
  type Span,
  type SpanColumns,
  spanKinds,
  spanStatuses,
  type TextColumn,
} from "@skopos/model";

/** Numbers texts in order of appearance. */
class Dictionary {
  readonly #indexOf = new Map<string, number>();

  index(text: string): number {
    const known = this.#indexOf.get(text);
    if (known !== undefined) return known;
    this.#indexOf.set(text, this.#indexOf.size);
    return this.#indexOf.size - 1;
  }

  known(text: string): number {
    return this.#indexOf.get(text) ?? -1;
  }

  texts(): string[] {
    return [...this.#indexOf.keys()];
  }
}

/** Rows are those of `spans`. */
export function columnsOfSpans(
  spans: readonly Span[],
  firstTexts: readonly FirstText[] = [],
): SpanColumns {
  const column = (textOf: (span: Span) => string): TextColumn => {
    const texts = new Dictionary();
    const at = Int32Array.from(spans, (span) => texts.index(textOf(span)));
    return { texts: texts.texts(), at };
  };
  const ids = new Dictionary();
  const id = Int32Array.from(spans, ({ spanId }) => ids.index(spanId));
  const originNs = spans.reduce(
    (least, { startNs }) => (startNs < least ? startNs : least),
    spans[0]?.startNs ?? 0n,
  );
  return {
    ids: ids.texts(),
    id,
    parentId: Int32Array.from(spans, ({ parentSpanId }) =>
      parentSpanId === "" ? -1 : ids.known(parentSpanId),
    ),
    service: column(({ service }) => service),
    name: column(({ name }) => name),
    kind: Uint8Array.from(spans, ({ kind }) => spanKinds.indexOf(kind)),
    status: Uint8Array.from(spans, ({ status }) => spanStatuses.indexOf(status)),
    originNs,
    startNs: Float64Array.from(spans, ({ startNs }) => Number(startNs - originNs)),
    durationNs: Float64Array.from(spans, ({ durationNs }) => durationNs),
    firstTexts: firstTexts.map((first) => column((span) => firstText(span, first))),
  };
}

function firstText(span: Span, { scope, keys }: FirstText): string {
  const attributes = scope === "span" ? span.attributes : span.resource;
  for (const key of keys) {
    const value = attributes[key];
    if (typeof value === "string" && value !== "") return value;
  }
  return "";
}
