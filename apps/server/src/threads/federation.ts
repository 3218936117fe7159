/**
 * The newest sample of every series that matches, as exposition text, for another server to scrape. Series that ended (a
 * staleness marker) are left out, as are native histograms, for which text has no form. External labels go on what lacks
 * them, and `instance` is always there, so that the scraping server does not put its own. Source: prometheus web/federate.go.
 */
import {
  absentNaN,
  highWord,
  type LabelMap,
  type LabelSet,
  lowWord,
  type Matcher,
  metricNameLabel,
  type MetricReader,
  staleNaN,
} from "@skopos/model";

export interface FederateRequest {
  readonly matcherSets: readonly (readonly Matcher[])[];
  readonly nowMs: number;
  readonly externalLabels: LabelMap;
  readonly format: "text" | "openmetrics";
  /** Whether names beyond [a-zA-Z0-9_:] may be written, in quotes; else those characters become underscores. */
  readonly utf8: boolean;
}

const lookbackMs = 300_000;
const seriesMax = 1_000_000;
const samplesMax = 50_000_000;
const chunkChars = 256 * 1024;
const plainName = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;

interface Newest {
  readonly name: string;
  readonly labels: LabelSet;
  readonly timeMs: number;
  readonly value: number;
}

/** Throws "limit", "cancelled". */
export async function* federate(
  reader: MetricReader,
  request: FederateRequest,
  cancelled: () => boolean,
): AsyncGenerator<string> {
  const found = new Map<string, Newest>();
  for (const matchers of request.matcherSets)
    for (const newest of await newestOf(reader, matchers, request.nowMs, cancelled))
      found.set(newest.labels.key, newest);
  const sorted = [...found.values()].sort((a, b) => compareTexts(a.name, b.name));
  let text = "";
  let family = "";
  for (const newest of sorted) {
    if (newest.name !== family) {
      family = newest.name;
      const kind = request.format === "text" ? "untyped" : "unknown";
      text += `# TYPE ${nameText(family, request.utf8)} ${kind}\n`;
    }
    text += line(newest, request);
    if (text.length < chunkChars) continue;
    yield text;
    text = "";
  }
  yield request.format === "openmetrics" ? `${text}# EOF\n` : text;
}

function compareTexts(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

async function newestOf(
  reader: MetricReader,
  matchers: readonly Matcher[],
  nowMs: number,
  cancelled: () => boolean,
): Promise<Newest[]> {
  const range = { startMs: nowMs - lookbackMs, endMs: nowMs };
  const block = await reader.select({ matchers, ...range, seriesMax, samplesMax, cancelled });
  const { buffer, byteOffset, length } = block.values;
  const words = new Uint32Array(buffer, byteOffset, length * 2);
  const all: Newest[] = [];
  for (const [s, labels] of block.labels.entries()) {
    const times = block.times[block.timesOf[s] ?? 0] ?? new Float64Array();
    const from = block.offsets[s] ?? 0;
    let i = times.length - 1;
    while (i >= 0 && isMarker(words, from + i, absentNaN.low)) i--;
    if (i < 0 || isMarker(words, from + i, staleNaN.low) || block.histograms?.has(from + i))
      continue;
    const name = labels.get(metricNameLabel);
    if (name !== "")
      all.push({ name, labels, timeMs: times[i] ?? 0, value: block.values[from + i] ?? NaN });
  }
  return all;
}

function isMarker(words: Uint32Array, index: number, low: number): boolean {
  return words[2 * index + highWord] === staleNaN.high && words[2 * index + lowWord] === low;
}

function line({ name, labels, timeMs, value }: Newest, request: FederateRequest): string {
  const pairs: string[] = [];
  const plain = plainName.test(name) || !request.utf8;
  if (!plain) pairs.push(quoted(name));
  for (const [label, text] of labels.entries())
    if (label !== metricNameLabel) pairs.push(`${nameText(label, request.utf8)}=${quoted(text)}`);
  for (const [label, text] of Object.entries(request.externalLabels))
    if (!labels.has(label)) pairs.push(`${nameText(label, request.utf8)}=${quoted(text)}`);
  if (!labels.has("instance") && !("instance" in request.externalLabels)) pairs.push('instance=""');
  const time = request.format === "text" ? String(timeMs) : (timeMs / 1000).toFixed(3);
  return `${plain ? nameText(name, request.utf8) : ""}{${pairs.join(",")}} ${valueText(value)} ${time}\n`;
}

function nameText(name: string, utf8: boolean): string {
  if (plainName.test(name)) return name;
  if (utf8) return quoted(name);
  const replaced = name.replaceAll(/[^a-zA-Z0-9_:]/gu, "_");
  return plainName.test(replaced) ? replaced : `_${replaced}`;
}

function quoted(text: string): string {
  return `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n")}"`;
}

function valueText(value: number): string {
  if (value === Infinity) return "+Inf";
  if (value === -Infinity) return "-Inf";
  return Object.is(value, -0) ? "-0" : String(value);
}
