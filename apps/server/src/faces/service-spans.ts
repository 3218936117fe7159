/** One service as its server spans tell it: what is known of a service that no sidecar counts. */
import type { Points, ReplyOf } from "@skopos/api";
import type { MatrixSeries, TraceEngine } from "@skopos/model";

interface Range {
  readonly startMs: number;
  readonly endMs: number;
}

const stepsMax = 60;
const stepMinMs = 15_000;
const quantiles = [
  ["p50Ms", "0.5"],
  ["p95Ms", "0.95"],
  ["p99Ms", "0.99"],
] as const;

/** Server spans of "namespace/name", whether a proxy ("name.namespace") or the application itself sent them. */
function serverSpansOf(serviceId: string): string {
  const [namespace = "", name = ""] = serviceId.split("/");
  const [ns, app, both] = [namespace, name, `${name}.${namespace}`].map((t) => JSON.stringify(t));
  return `kind = server && (resource.service.name = ${both} || resource.service.name = ${app} && (resource.k8s.namespace.name = ${ns} || resource.service.namespace = ${ns}))`;
}

/** By steps and over the whole range; a step without spans is a gap: nothing is known of it. */
export async function serviceSpans(
  traces: TraceEngine,
  serviceId: string,
  range: Range,
  signal: AbortSignal,
): Promise<ReplyOf<"serviceSpans">> {
  const wholeMs = Math.max(1000, range.endMs - range.startMs);
  const stepMs = Math.max(stepMinMs, Math.ceil(wholeMs / stepsMax / 1000) * 1000);
  const spans = serverSpansOf(serviceId);
  const warnings = new Set<string>();
  const ask = async (filter: string, pipeline: string, askedStepMs: number) => {
    const query = `{ ${filter} } | ${pipeline}`;
    const found = await traces.metrics(query, { ...range, stepMs: askedStepMs, signal });
    for (const warning of found.warnings) warnings.add(warning);
    return found.value.type === "matrix" ? found.value.series : [];
  };
  const failed = `${spans} && status = error`;
  const durations = `quantile_over_time(duration, ${quantiles.map(([, p]) => p).join(", ")})`;
  const [calls, errors, slow, allCalls, allErrors, allSlow] = await Promise.all([
    ask(spans, "rate()", stepMs),
    ask(failed, "rate()", stepMs),
    ask(spans, durations, stepMs),
    ask(spans, "count_over_time()", wholeMs),
    ask(failed, "count_over_time()", wholeMs),
    ask(spans, durations, wholeMs),
  ]);
  const counted = sum(allCalls);
  const requestsPerSecond = measured(calls[0]);
  const failing = new Map(measured(errors[0]));
  const whole = (p: string) => measured(quantile(allSlow, p)).at(-1)?.[1] ?? null;
  const steps = (p: string): Points =>
    measured(quantile(slow, p)).map(([at, value]) => [at, value * 1000]);
  const inMs = (seconds: number | null) => (seconds === null ? null : seconds * 1000);
  return {
    callsPerSecond: counted === 0 ? null : counted / (wholeMs / 1000),
    errorRatio: counted === 0 ? null : sum(allErrors) / counted,
    p50Ms: inMs(whole("0.5")),
    p95Ms: inMs(whole("0.95")),
    p99Ms: inMs(whole("0.99")),
    series: {
      requestsPerSecond,
      errorRatio: requestsPerSecond.map(([at, rate]) => [at, (failing.get(at) ?? 0) / rate]),
      p50Ms: steps("0.5"),
      p95Ms: steps("0.95"),
      p99Ms: steps("0.99"),
    },
    warnings: [...warnings],
  };
}

const quantile = (series: readonly MatrixSeries[], p: string) =>
  series.find(({ labels }) => labels["p"] === p);

/** Steps in which spans were seen. */
function measured(series: MatrixSeries | undefined): [at: number, value: number][] {
  const found: [number, number][] = [];
  series?.times.forEach((at, step) => {
    const value = series.values[step];
    if (value !== undefined && value > 0) found.push([at, value]);
  });
  return found;
}

const sum = (series: readonly MatrixSeries[]) =>
  series.reduce((total, { values }) => total + values.reduce((all, value) => all + value, 0), 0);
