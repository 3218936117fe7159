/**
 * Pages of metrics → samples by slot: Prometheus's text format 0.0.4 and OpenMetrics 1.0.
 *
 * One pass over the bytes. A line whose series part has the same bytes as the line at the same place of the last page costs a
 * comparison and one number; any other line is looked up by its text, and only a series never seen is taken apart.
 *
 * Sources: Prometheus "Exposition formats" (text 0.0.4), OpenMetrics 1.0 (RFC draft, prometheus/OpenMetrics). As Prometheus 3
 * does, `le` and `quantile` values are written in OpenMetrics' way ("1" → "1.0") whichever format they came in.
 */
import { ExpositionError, IngestError } from "../errors.ts";
import { FamilyChecks } from "./checks.ts";
import { parseMetadataLine, type MetadataLine } from "./metadata.ts";
import { readOpenMetricsTail, readTextTail, type Tail } from "./tail.ts";
import {
  type Exemplar,
  exemplarsMax,
  helpCharsMax,
  metadataMax,
  type Page,
  type PageLayout,
} from "./page.ts";
import { failAt, latin1, type LinePosition, parseSeries, seriesEnd } from "./series.ts";

const newline = 10;
const hash = 35;

export interface ParseOptions {
  /**
   * "strict" (the default) also holds an OpenMetrics page to the rules between its lines: grouping, order of buckets, values
   * a type allows. "syntax" takes what Prometheus takes, which checks single lines.
   */
  readonly checks?: "strict" | "syntax";
}

/**
 * Parses a page into the layout's slots. `contentType` chooses the format: `application/openmetrics-text`, else text.
 * Throws `ExpositionError`; the layout stays usable and still describes the last good page.
 */
export function parseExposition(
  bytes: Uint8Array,
  contentType: string | undefined,
  layout: PageLayout,
  options: ParseOptions = {},
): Page {
  const openMetrics = isOpenMetrics(contentType);
  const checks =
    openMetrics && options.checks !== "syntax" ? new FamilyChecks(layout.labels) : undefined;
  return new PageParser(bytes, openMetrics, layout, checks).parse();
}

/** Reads the media type of a page. Throws "unsupported-media-type" for what is neither format. */
function isOpenMetrics(contentType: string | undefined): boolean {
  const type = (contentType ?? "text/plain").split(";")[0]?.trim().toLowerCase();
  if (type === "application/openmetrics-text") return true;
  if (type === "text/plain" || type === "" || type === "application/octet-stream") return false;
  throw new IngestError(
    "unsupported-media-type",
    `cannot read metrics of type ${JSON.stringify(contentType)}: expected text/plain or application/openmetrics-text`,
  );
}

class PageParser {
  readonly #bytes: Buffer;
  readonly #openMetrics: boolean;
  readonly #layout: PageLayout;
  readonly #checks: FamilyChecks | undefined;
  readonly #tail: Tail = { value: 0, timeMs: Number.NaN, end: 0, exemplar: undefined };
  readonly #exemplars: Exemplar[] = [];
  #count = 0;
  #cursor = 0;
  #inOrder = true;
  #hasTimes = false;
  #line = 1;

  constructor(
    bytes: Uint8Array,
    openMetrics: boolean,
    layout: PageLayout,
    checks: FamilyChecks | undefined,
  ) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#openMetrics = openMetrics;
    this.#layout = layout;
    this.#checks = checks;
  }

  parse(): Page {
    const { length } = this.#bytes;
    let at = 0;
    let ended = false;
    while (at < length && !ended) {
      const c = this.#bytes[at] ?? 0;
      if (this.#openMetrics) {
        if (c === newline) this.#fail(at, at, "a blank line");
        if (c === hash) {
          const end = this.#lineEnd(at);
          ended = this.#openMetricsComment(at, end);
          at = end + 1;
        } else at = this.#sample(at, at);
      } else at = this.#textLine(at);
      this.#line++;
    }
    if (this.#openMetrics && !ended)
      throw new ExpositionError("the page does not end with # EOF", this.#line, 1);
    this.#checks?.finish();
    return this.#finish();
  }

  #finish(): Page {
    const layout = this.#layout;
    const sameLayout = this.#inOrder && this.#count === layout.orderCount;
    if (!sameLayout) layout.remember(this.#bytes, this.#count);
    return {
      slots: layout.slots,
      values: layout.values,
      timesMs: layout.timesMs,
      count: this.#count,
      hasTimes: this.#hasTimes,
      sameLayout,
      exemplars: this.#exemplars,
    };
  }

  #textLine(start: number): number {
    let at = start;
    while (this.#bytes[at] === 32 || this.#bytes[at] === 9) at++;
    const c = this.#bytes[at];
    if (c === newline) return at + 1;
    if (c === undefined) return at;
    if (c !== hash) return this.#sample(at, start);
    const end = this.#lineEnd(at);
    const found = parseMetadataLine(this.#bytes, at, end, false, { line: this.#line, start });
    if (found) this.#keepMetadata(found);
    return end + 1;
  }

  /** True at the end-of-page mark. */
  #openMetricsComment(start: number, end: number): boolean {
    const position = { line: this.#line, start };
    if (end - start === 5 && latin1(this.#bytes, start, end) === "# EOF") {
      if (end + 1 < this.#bytes.length)
        throw new ExpositionError("text after # EOF", this.#line + 1, 1);
      return true;
    }
    const found = parseMetadataLine(this.#bytes, start, end, true, position);
    if (!found) return failAt(position, start, "expected # HELP, # TYPE, # UNIT or # EOF");
    if (end >= this.#bytes.length) failAt(position, end, "the line does not end");
    this.#checks?.metadata(found, position);
    this.#keepMetadata(found);
    return false;
  }

  #keepMetadata(found: MetadataLine): void {
    const known = this.#layout.metadata.get(found.family);
    const text = found.text.slice(0, helpCharsMax);
    if (known && known[found.kind] === text) return;
    if (!known && this.#layout.metadata.size >= metadataMax) return;
    const base = known ?? { type: "unknown" as const, help: "", unit: "" };
    this.#layout.metadata.set(found.family, { ...base, [found.kind]: text });
  }

  /** Reads the sample line whose first byte is at `at`; `lineStart` is before its indentation. Returns the next line's start. */
  #sample(at: number, lineStart: number): number {
    const layout = this.#layout;
    const index = this.#count;
    if (index === layout.slots.length) layout.grow();
    const end = this.#matchCursor(at);
    const seriesEndsAt = end > 0 ? end : seriesEnd(this.#bytes, at);
    const slot =
      end > 0 ? (layout.order[this.#cursor++] ?? 0) : this.#lookUp(at, seriesEndsAt, lineStart);
    const tail = this.#tail;
    const position = { line: this.#line, start: lineStart };
    if (this.#openMetrics) readOpenMetricsTail(this.#bytes, seriesEndsAt, tail, position);
    else readTextTail(this.#bytes, seriesEndsAt, tail, position);
    layout.slots[index] = slot;
    layout.values[index] = tail.value;
    layout.timesMs[index] = tail.timeMs;
    if (tail.timeMs === tail.timeMs) this.#hasTimes = true;
    layout.begins[index] = at;
    layout.ends[index] = seriesEndsAt;
    this.#count++;
    if (this.#checks) this.#checks.sample(slot, tail, position);
    if (tail.exemplar && this.#exemplars.length < exemplarsMax)
      this.#exemplars.push({ slot, ...tail.exemplar });
    return tail.end + 1;
  }

  /** End of the series text at `at` when it equals the last page's next series, else 0. */
  #matchCursor(at: number): number {
    const { text, starts } = this.#layout;
    if (this.#cursor >= this.#layout.orderCount) return 0;
    const from = starts[this.#cursor] ?? 0;
    const size = (starts[this.#cursor + 1] ?? 0) - from;
    const bytes = this.#bytes;
    if (at + size > bytes.length) return 0;
    // One native comparison: lines of a mesh are hundreds of bytes long and nearly always equal.
    if (this.#bytes.compare(text, from, from + size, at, at + size) !== 0) return 0;
    const next = bytes[at + size];
    // A bare name may go on in this page: `a` is not the series of `ab 1` or `a {b="c"} 1`.
    if (bytes[at + size - 1] === 125) return at + size;
    return next === 32 && bytes[at + size + 1] !== 123 ? at + size : 0;
  }

  #lookUp(start: number, end: number, lineStart: number): number {
    const layout = this.#layout;
    this.#inOrder = false;
    const key = latin1(this.#bytes, start, end);
    let slot = layout.find(key);
    if (slot === undefined) {
      const position: LinePosition = { line: this.#line, start: lineStart };
      const rules = { strict: this.#openMetrics };
      const labels = parseSeries(this.#bytes, start, end, rules, position);
      slot = layout.add(key, labels);
    }
    // After an inserted or missing line the old order goes on from here.
    const next = this.#cursor + 1;
    if (layout.order[next] === slot) this.#cursor = next + 1;
    return slot;
  }

  #lineEnd(start: number): number {
    const end = this.#bytes.indexOf(newline, start);
    return end === -1 ? this.#bytes.length : end;
  }

  #fail(at: number, lineStart: number, reason: string): never {
    return failAt({ line: this.#line, start: lineStart }, at, reason);
  }
}
