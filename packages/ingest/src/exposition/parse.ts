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
import { Fingerprint } from "../remote-write/fingerprint.ts";
import {
  type Exemplar,
  exemplarsMax,
  type FreshSeries,
  helpCharsMax,
  metadataMax,
  type Page,
  PageColumns,
  type PageLayout,
  unmarked,
} from "./page.ts";
import { type PageLines, PageText } from "./page-text.ts";
import { failAt, latin1, type LinePosition, seriesEnd, SeriesReader } from "./series.ts";

const newline = 10;
const hash = 35;

export interface ParseOptions {
  /**
   * "strict" (the default) also holds an OpenMetrics page to the rules between its lines: grouping, order of buckets, values
   * a type allows. "syntax" takes what Prometheus takes, which checks single lines.
   */
  readonly checks?: "strict" | "syntax";
}

const columns = new PageColumns();
const commentFingerprint = new Fingerprint(0);

/**
 * Parses a page, comparing it with the layout's last one. `contentType` chooses the format: `application/openmetrics-text`,
 * else text. Throws `ExpositionError`; the layout stays usable and still describes the last good page.
 */
export function parseExposition(
  bytes: Uint8Array,
  contentType: string | undefined,
  layout: PageLayout,
  options: ParseOptions = {},
): Page {
  const openMetrics = isOpenMetrics(contentType);
  const checks = openMetrics && options.checks !== "syntax" ? new FamilyChecks() : undefined;
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
  readonly #view: DataView;
  readonly #openMetrics: boolean;
  readonly #layout: PageLayout;
  /** What is known of the last page, if its format was this one's. */
  readonly #text: PageText;
  readonly #checks: FamilyChecks | undefined;
  readonly #reader: SeriesReader;
  readonly #tail: Tail = { value: 0, timeMs: Number.NaN, end: 0, exemplar: undefined };
  readonly #exemplars: Exemplar[] = [];
  readonly #fresh: FreshSeries[] = [];
  readonly #comments: number[] = [];
  #count = 0;
  /** The last page's lines once this page has left their order, and the one that is due. */
  #lines: PageLines | undefined;
  #cursor = 0;
  #hasTimes = false;
  #sameComments = true;
  #seriesEndsAt = 0;
  #line = 1;

  constructor(
    bytes: Uint8Array,
    openMetrics: boolean,
    layout: PageLayout,
    checks: FamilyChecks | undefined,
  ) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#openMetrics = openMetrics;
    this.#layout = layout;
    this.#text = layout.openMetrics === openMetrics ? layout.text : PageText.empty;
    this.#checks = checks;
    this.#reader = new SeriesReader(this.#bytes, { strict: openMetrics });
  }

  parse(): Page {
    this.#text.restart();
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
    const count = this.#count;
    const sameLayout = !this.#lines && this.#text === layout.text && count === this.#text.count;
    if (!sameLayout) {
      if (!this.#lines) this.#keepMarks();
      layout.text = PageText.of(this.#bytes, columns.begins, columns.ends, count);
      layout.marks = columns.marks.slice(0, count);
    }
    if (!this.#sameComments || this.#comments.length !== layout.comments.length)
      layout.comments = Int32Array.from(this.#comments);
    layout.openMetrics = this.#openMetrics;
    return {
      values: columns.values,
      timesMs: columns.timesMs,
      count,
      hasTimes: this.#hasTimes,
      marks: layout.marks,
      fresh: this.#fresh,
      sameLayout,
      exemplars: this.#exemplars,
    };
  }

  /** Takes over the marks of the samples read so far, which stand as on the last page. */
  #keepMarks(): void {
    columns.marks.set(this.#layout.marks.subarray(0, this.#count));
  }

  #textLine(start: number): number {
    let at = start;
    while (this.#bytes[at] === 32 || this.#bytes[at] === 9) at++;
    const c = this.#bytes[at];
    if (c === newline) return at + 1;
    if (c === undefined) return at;
    if (c !== hash) return this.#sample(at, start);
    const end = this.#lineEnd(at);
    if (this.#isKnownComment(at, end)) return end + 1;
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
    if (end < this.#bytes.length && this.#isKnownComment(start, end) && !this.#checks) return false;
    const found = parseMetadataLine(this.#bytes, start, end, true, position);
    if (!found) return failAt(position, start, "expected # HELP, # TYPE, # UNIT or # EOF");
    if (end >= this.#bytes.length) failAt(position, end, "the line does not end");
    this.#checks?.metadata(found, position);
    this.#keepMetadata(found);
    return false;
  }

  /** Whether the last page had the same comment at this place; notes it for the next. */
  #isKnownComment(start: number, end: number): boolean {
    commentFingerprint.ofBytes(this.#view, start, end);
    const [first = 0, second = 0] = commentFingerprint.words;
    const known = this.#layout.comments;
    const at = this.#comments.length;
    this.#comments.push(first, second);
    const isKnown =
      this.#layout.openMetrics === this.#openMetrics &&
      known[at] === first &&
      known[at + 1] === second;
    if (!isKnown) this.#sameComments = false;
    return isKnown;
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
    const index = this.#count;
    if (index === columns.size) columns.grow();
    let end = this.#lines ? 0 : this.#text.match(this.#bytes, at);
    let mark = end > 0 ? (this.#layout.marks[index] ?? unmarked) : unmarked;
    if (end === 0) {
      if (!this.#lines) this.#leaveOrder();
      const line = this.#lineOf(at);
      if (line >= 0) mark = this.#layout.marks[line] ?? unmarked;
      end = this.#seriesEndsAt;
      columns.marks[index] = mark;
    }
    const position = { line: this.#line, start: lineStart };
    if (mark === unmarked || this.#checks) {
      const labels = this.#reader.read(at, end, position);
      if (mark === unmarked) this.#fresh.push({ index, labels });
      this.#readTail(end, position);
      this.#checks?.sample(labels, this.#tail, position);
    } else this.#readTail(end, position);
    const tail = this.#tail;
    columns.values[index] = tail.value;
    columns.timesMs[index] = tail.timeMs;
    if (tail.timeMs === tail.timeMs) this.#hasTimes = true;
    columns.begins[index] = at;
    columns.ends[index] = end;
    this.#count++;
    if (tail.exemplar && this.#exemplars.length < exemplarsMax)
      this.#exemplars.push({ index, ...tail.exemplar });
    return tail.end + 1;
  }

  #readTail(end: number, position: LinePosition): void {
    if (this.#openMetrics) readOpenMetricsTail(this.#bytes, end, this.#tail, position);
    else readTextTail(this.#bytes, end, this.#tail, position);
  }

  /** From here on the page has other series than the last one, or has them in another order. */
  #leaveOrder(): void {
    this.#lines = this.#text.lines();
    this.#cursor = this.#count;
    this.#keepMarks();
  }

  /** The last page's line for the series at `at`, -1 if it had none; finds where the series ends. */
  #lineOf(at: number): number {
    const end = this.#lines?.matchLine(this.#cursor, this.#bytes, at) ?? 0;
    if (end > 0) {
      this.#seriesEndsAt = end;
      return this.#cursor++;
    }
    this.#seriesEndsAt = seriesEnd(this.#bytes, at);
    const line = this.#lines?.find(this.#bytes, this.#view, at, this.#seriesEndsAt) ?? -1;
    // After missing lines the old order goes on from here, after an inserted one where it was.
    if (line > this.#cursor) this.#cursor = line + 1;
    return line;
  }

  #lineEnd(start: number): number {
    const end = this.#bytes.indexOf(newline, start);
    return end === -1 ? this.#bytes.length : end;
  }

  #fail(at: number, lineStart: number, reason: string): never {
    return failAt({ line: this.#line, start: lineStart }, at, reason);
  }
}
