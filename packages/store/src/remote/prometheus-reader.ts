/**
 * A Prometheus-compatible server as a reader of raw samples, by instant queries of `selector[range]`: every such server
 * answers them, remote read only Prometheus itself does. Such an answer has no staleness markers: the end of a series shows
 * as missing samples. Servers before 3.0 hand out the left edge of a range too; it is cut off here.
 */
import {
  CancelledError,
  type Clock,
  compileMatcher,
  type LabelMap,
  type LabelSelect,
  LabelSet,
  LimitError,
  type MatrixSeries,
  type Matcher,
  type MetricReader,
  type MetricSelect,
  type SeriesBlock,
  SkoposError,
} from "@skopos/model";
import type { RemoteServer } from "./connection.ts";
import { PrometheusHttp, secondsText } from "./http.ts";
import { labelsOf, listOf, metricValueOf } from "./values.ts";

export interface PrometheusReaderOptions extends RemoteServer {
  readonly clock: Clock;
}

/** The longest range that is asked for: what is older no such server has. */
const rangeMsMax = 20 * 365 * 86_400_000;
/** Samples may be a little ahead of our clock. */
const aheadMs = 3_600_000;
const cancelPollMs = 50;

export function createPrometheusReader(options: PrometheusReaderOptions): MetricReader {
  return new PrometheusReader(options);
}

class PrometheusReader implements MetricReader {
  readonly #http: PrometheusHttp;
  readonly #clock: Clock;

  constructor(options: PrometheusReaderOptions) {
    this.#http = new PrometheusHttp(options);
    this.#clock = options.clock;
  }

  async select(request: MetricSelect): Promise<SeriesBlock> {
    if (request.cancelled?.()) throw new CancelledError();
    const { startMs, endMs } = this.#within(request);
    const query = `${selectorText(request.matchers)}[${Math.max(1, endMs - startMs)}ms]`;
    const watch = this.#watch(request);
    try {
      const parameters = [
        ["query", query],
        ["time", secondsText(endMs)],
      ] as const;
      const answer = await this.#http.post("/query", parameters, { signal: watch.signal });
      const { value, left } = metricValueOf(answer.data);
      if (value.type !== "matrix")
        throw new SkoposError("unavailable", `a range came back as a ${value.type}`);
      const warnings = [...answer.warnings];
      if (left > 0) warnings.push(`${left} series of native histograms are left out`);
      return blockOf(value.series, startMs, request, warnings);
    } finally {
      watch.end();
    }
  }

  /** A caller polls; a request under way must hear of it. */
  #watch({ cancelled }: MetricSelect): { signal: AbortSignal; end: () => void } {
    const controller = new AbortController();
    let cancelTimer = () => {};
    const look = () => {
      if (cancelled?.()) controller.abort();
      else cancelTimer = this.#clock.after(cancelPollMs, look);
    };
    if (cancelled) look();
    return { signal: controller.signal, end: () => cancelTimer() };
  }

  #within({ startMs, endMs }: { startMs: number; endMs: number }) {
    const end = Math.min(endMs, this.#clock.nowMs() + aheadMs);
    return { startMs: Math.max(startMs, end - rangeMsMax), endMs: end };
  }

  async series(request: LabelSelect): Promise<LabelSet[]> {
    const sets = request.matcherSets.length > 0 ? request.matcherSets : [everything];
    const answer = await this.#list("/series", request, sets);
    return answer.map((labels) => LabelSet.fromMap(labelsOf(labels))).slice(0, request.limit);
  }

  async labelNames(request: LabelSelect): Promise<string[]> {
    return sortedTexts(await this.#list("/labels", request, request.matcherSets), request.limit);
  }

  async labelValues(name: string, request: LabelSelect): Promise<string[]> {
    const path = `/label/${escapeLabelName(name)}/values`;
    return sortedTexts(await this.#list(path, request, request.matcherSets), request.limit);
  }

  /** Servers give whole hours or days of names; the edges are as coarse as they have them. */
  async #list(path: string, request: LabelSelect, sets: readonly (readonly Matcher[])[]) {
    const { startMs, endMs } = this.#within(request);
    const parameters = [
      ...sets.map((matchers) => ["match[]", selectorText(matchers)] as const),
      ["start", secondsText(startMs)] as const,
      ["end", secondsText(endMs)] as const,
      ["limit", String(request.limit)] as const,
    ];
    const answer = path.startsWith("/label/")
      ? await this.#http.get(path, parameters)
      : await this.#http.post(path, parameters);
    return listOf(answer.data, path);
  }
}

const everything: readonly Matcher[] = [{ op: "=~", name: "__name__", value: ".+" }];
const plainLabel = /^[a-zA-Z_][a-zA-Z0-9_]*$/;

/** Throws `bad-regex` before anything is asked. A selector must not match everything: then a name is asked for as well. */
function selectorText(matchers: readonly Matcher[]): string {
  const compiled = matchers.map(compileMatcher);
  const all = compiled.every((matcher) => matcher.test(""))
    ? [...matchers, ...everything]
    : matchers;
  const parts = all.map(
    ({ name, op, value }) =>
      `${plainLabel.test(name) ? name : JSON.stringify(name)}${op}${JSON.stringify(value)}`,
  );
  return `{${parts.join(",")}}`;
}

/** As the API's paths have names beyond letters, digits and underscores; see "Escaping schemes" of Prometheus. */
function escapeLabelName(name: string): string {
  if (plainLabel.test(name)) return name;
  let out = "U__";
  for (const char of name) {
    if (char === "_") out += "__";
    else if (/[a-zA-Z0-9:]/.test(char)) out += char;
    else out += `_${(char.codePointAt(0) ?? 0).toString(16)}_`;
  }
  return out;
}

function sortedTexts(list: readonly unknown[], limit: number): string[] {
  const texts = list.filter((value) => typeof value === "string");
  return texts.sort().slice(0, limit);
}

interface Cut {
  readonly labels: LabelMap;
  readonly times: Float64Array;
  readonly values: Float64Array;
}

function blockOf(
  found: readonly MatrixSeries[],
  startMs: number,
  { endMs, seriesMax, samplesMax }: MetricSelect,
  warnings: readonly string[],
): SeriesBlock {
  const series: Cut[] = [];
  let samples = 0;
  for (const { labels, times, values } of found) {
    let from = 0;
    let to = times.length;
    while (from < to && (times[from] ?? 0) <= startMs) from++;
    while (to > from && (times[to - 1] ?? 0) > endMs) to--;
    if (to === from) continue;
    samples += to - from;
    series.push({ labels, times: times.subarray(from, to), values: values.subarray(from, to) });
  }
  if (series.length > seriesMax)
    throw new LimitError(`the selector matches more than ${seriesMax} series`);
  if (samples > samplesMax)
    throw new LimitError(`the selector matches more than ${samplesMax} samples`);
  const values = new Float64Array(samples);
  const offsets = new Uint32Array(series.length + 1);
  for (const [s, cut] of series.entries()) {
    values.set(cut.values, offsets[s] ?? 0);
    offsets[s + 1] = (offsets[s] ?? 0) + cut.values.length;
  }
  return {
    labels: series.map(({ labels }) => LabelSet.fromMap(labels)),
    times: series.map(({ times }) => times),
    timesOf: Uint32Array.from(series.keys()),
    values,
    offsets,
    warnings,
  };
}
