/**
 * Every distinct expression of Istio's dashboards, asked over HTTP of Debian's Prometheus and of our server with the same data in
 * both (remote write, one hour at 15 s): instant, and as a range of one hour in steps of 15 s. Expressions that return no data
 * from Prometheus are left out of the figures and counted.
 *
 * Three ways of asking are told apart: *cold* is the first time after loading, *sliding* moves the end of the range from call to
 * call by one step, as a dashboard that refreshes does, *same* asks for the very same again, which for settled times is
 * answered from what was sent before.
 *
 * Answers are compared point by point. Samples lie a third of a step before the steps, as those of most targets do: on the
 * very edge of a window definitions differ (Prometheus before 3.0 counts a sample on the left edge in, later ones and we
 * leave it out, which changes rates of small counters by up to a third), anywhere else they do not.
 *
 * `--size` is the number of active series (default 100,000); `--dir` the directory of conformance data.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { gunzipSync } from "node:zlib";
import { request } from "undici";
import { dashboardExpressions, filledIn } from "./load/istio-dashboards.ts";
import { MeshLoad } from "./load/mesh.ts";
import { RemoteWriteLoad, sendRemoteWrite } from "./load/remote-write.ts";
import type { Peer } from "./peers/process.ts";
import { startPrometheus } from "./peers/prometheus.ts";
import { startSkopos } from "./peers/skopos.ts";

const stepMs = 15_000;
/** An hour of range and a window of five minutes before it. */
const steps = 265;
const rangeSeconds = 3600;
const repeats = 5;

/** How long before each step its samples lie. */
const phaseMs = 5000;

/** Time in seconds, and the value as text. */
type Point = readonly [number, string];

interface Result {
  readonly metric: Readonly<Record<string, string>>;
  readonly value?: Point;
  readonly values?: readonly Point[];
}

interface Asked {
  readonly ms: number;
  /** By label set. */
  readonly series: ReadonlyMap<string, readonly Point[]>;
}

/** As Grafana asks. */
const headers = {
  "content-type": "application/x-www-form-urlencoded",
  "accept-encoding": "gzip",
};

/** The time is that until the last byte has arrived, on a connection that is there, before it is inflated. */
async function ask(peer: Peer, call: string, parameters: Record<string, string>): Promise<Asked> {
  const body = new URLSearchParams(parameters).toString();
  const began = performance.now();
  const response = await request(`${peer.url}/api/v1/${call}`, { method: "POST", headers, body });
  const bytes = Buffer.from(await response.body.arrayBuffer());
  const ms = performance.now() - began;
  const text = (
    response.headers["content-encoding"] === "gzip" ? gunzipSync(bytes) : bytes
  ).toString();
  if (response.statusCode !== 200)
    throw new Error(`${parameters["query"]}: ${response.statusCode} ${text.slice(0, 300)}`);
  const { data } = JSON.parse(text) as { data: { result: Result[] | readonly [number, string] } };
  const results = data.result.filter((result) => typeof result === "object");
  const series = results.map(({ metric, value, values }): [string, readonly Point[]] => [
    JSON.stringify(metric, Object.keys(metric).sort()),
    values ?? (value ? [value] : []),
  ]);
  return { ms, series: new Map(series) };
}

const median = (values: readonly number[]) =>
  [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
const geometricMean = (values: readonly number[]) =>
  Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);

interface Times {
  readonly cold: number;
  readonly sliding: number;
  readonly same: number;
}

interface Measured {
  readonly query: string;
  readonly kind: "instant" | "range";
  readonly ours: Times;
  readonly theirs: Times;
}

class Comparison {
  readonly #theirs: Peer;
  readonly #ours: Peer;
  readonly #endMs: number;
  readonly measured: Measured[] = [];
  readonly silent: string[] = [];
  readonly differing: string[] = [];

  constructor(theirs: Peer, ours: Peer, endMs: number) {
    this.#theirs = theirs;
    this.#ours = ours;
    this.#endMs = endMs;
  }

  async measure(query: string): Promise<void> {
    const instant = await this.#times(query, "instant");
    if (!instant) {
      this.silent.push(query);
      return;
    }
    const range = await this.#times(query, "range");
    this.measured.push(instant, ...(range ? [range] : []));
  }

  #parameters(query: string, kind: Measured["kind"], back: number): Record<string, string> {
    const end = this.#endMs / 1000 - (back * stepMs) / 1000;
    if (kind === "instant") return { query, time: `${end}` };
    return { query, start: `${end - rangeSeconds}`, end: `${end}`, step: `${stepMs / 1000}` };
  }

  async #times(query: string, kind: Measured["kind"]): Promise<Measured | undefined> {
    const call = kind === "instant" ? "query" : "query_range";
    const one = async (peer: Peer): Promise<Times & { first: Asked }> => {
      const first = await ask(peer, call, this.#parameters(query, kind, repeats));
      const sliding: number[] = [];
      for (let back = repeats - 1; back >= 0; back--)
        sliding.push((await ask(peer, call, this.#parameters(query, kind, back))).ms);
      const same: number[] = [];
      for (let i = 0; i < repeats; i++)
        same.push((await ask(peer, call, this.#parameters(query, kind, 0))).ms);
      return { first, cold: first.ms, sliding: median(sliding), same: median(same) };
    };
    const theirs = await one(this.#theirs);
    if (theirs.first.series.size === 0) return undefined;
    const ours = await one(this.#ours);
    if (!agree(theirs.first, ours.first)) this.differing.push(`${kind}: ${query}`);
    return { query, kind, ours, theirs };
  }
}

/** Of sums that are added up in another order. */
const tolerance = 1e-9;

function agree(theirs: Asked, ours: Asked): boolean {
  if (theirs.series.size !== ours.series.size) return false;
  return [...theirs.series].every(([key, points]) => {
    const others = ours.series.get(key);
    return (
      others?.length === points.length &&
      points.every((point, i) => agreeAt(point, others[i] ?? [Number.NaN, ""]))
    );
  });
}

function agreeAt([time, text]: Point, [otherTime, otherText]: Point): boolean {
  const [value, other] = [Number(text), Number(otherText)];
  if (time !== otherTime) return false;
  if (Object.is(value, other)) return true;
  return Math.abs(value - other) <= tolerance * Math.max(Math.abs(value), Math.abs(other));
}

async function load(peer: Peer, mesh: MeshLoad, endMs: number): Promise<number> {
  const writes = new RemoteWriteLoad(mesh.targets);
  const began = performance.now();
  for (let step = 0; step < steps; step++) {
    const timeMs = endMs - phaseMs - (steps - 1 - step) * stepMs;
    for (const body of writes.requests(step, timeMs)) await sendRemoteWrite(peer.url, body);
  }
  return (performance.now() - began) / 1000;
}

function figuresOf(measured: readonly Measured[], kind: Measured["kind"]) {
  const of = measured.filter((it) => it.kind === kind);
  const ways = ["cold", "sliding", "same"] as const;
  return Object.fromEntries(
    ways.flatMap((way) => {
      const ratios = of.map(({ ours, theirs }) => theirs[way] / ours[way]);
      const slower = Math.max(...of.map(({ ours, theirs }) => ours[way] - theirs[way]));
      return [
        [`${kind}_${way}_times_faster_geomean`, Number(geometricMean(ratios).toFixed(2))],
        [`${kind}_${way}_worst_slower_ms`, Number(slower.toFixed(2))],
        [
          `${kind}_${way}_ours_median_ms`,
          Number(median(of.map(({ ours }) => ours[way])).toFixed(2)),
        ],
        [
          `${kind}_${way}_prometheus_median_ms`,
          Number(median(of.map(({ theirs }) => theirs[way])).toFixed(2)),
        ],
      ];
    }),
  );
}

/** Those that are furthest behind, in time. */
function printWorst(measured: readonly Measured[], way: "cold" | "sliding"): void {
  const behind = ({ ours, theirs }: Measured) => ours[way] - theirs[way];
  const worst = [...measured].sort((a, b) => behind(b) - behind(a)).slice(0, 8);
  for (const { query, kind, ours, theirs } of worst)
    console.log(
      `${kind} ${way}: ${theirs[way].toFixed(1)} ms there, ${ours[way].toFixed(1)} ms here: ${query}`,
    );
}

export async function run({
  size = 100_000,
  dir,
}: {
  size: number | undefined;
  dir: string | undefined;
}) {
  const conformance = dir ?? process.env["SKOPOS_CONFORMANCE"] ?? "../shared/conformance";
  const work = mkdtempSync(path.join(tmpdir(), "skopos-bench-"));
  const mesh = new MeshLoad({ series: size });
  const subject = {
    namespace: mesh.namespace,
    workload: mesh.services[1] ?? "",
    rateInterval: "1m",
    interval: "15s",
  };
  const queries = [
    ...new Set(
      dashboardExpressions(conformance).map((expression) => filledIn(expression, subject)),
    ),
  ];
  const endMs = Math.floor(Date.now() / stepMs) * stepMs;
  const peers: Peer[] = [];
  try {
    const theirs = await startPrometheus(work);
    peers.push(theirs);
    const theirLoadSeconds = await load(theirs, mesh, endMs);
    const ours = await startSkopos(work);
    peers.push(ours);
    const ourLoadSeconds = await load(ours, mesh, endMs);
    const comparison = new Comparison(theirs, ours, endMs);
    for (const query of queries) await comparison.measure(query);
    const { measured, silent, differing } = comparison;
    for (const way of ["cold", "sliding"] as const) printWorst(measured, way);
    for (const query of differing) console.log(`answers differ: ${query}`);
    return {
      series: mesh.seriesCount,
      expressions: queries.length,
      with_data: queries.length - silent.length,
      answers_differing: differing.length,
      ...figuresOf(measured, "instant"),
      ...figuresOf(measured, "range"),
      load_ours_s: Number(ourLoadSeconds.toFixed(1)),
      load_prometheus_s: Number(theirLoadSeconds.toFixed(1)),
      resident_ours_mb: Math.round(ours.usage().residentBytes / 2 ** 20),
      resident_prometheus_mb: Math.round(theirs.usage().residentBytes / 2 ** 20),
    };
  } finally {
    for (const peer of peers) await peer.stop();
    rmSync(work, { recursive: true, force: true });
  }
}
