/** What npm's prom-client shows is read as it means it, in both of its formats. */
import { parseExposition, PageLayout } from "@skopos/ingest";
import { Counter, Gauge, Histogram, Registry } from "prom-client";
import { describe, expect, it } from "vitest";

type Format = typeof Registry.PROMETHEUS_CONTENT_TYPE | typeof Registry.OPENMETRICS_CONTENT_TYPE;

async function pageOf(contentType: Format) {
  const registry = new Registry<Format>();
  registry.setContentType(contentType);
  const registers = [registry];
  const requests = new Counter<"path" | "trace_id">({
    name: "requests_total",
    help: "Requests, with a \\ and a\nline",
    labelNames: ["path"],
    registers,
    enableExemplars: contentType === Registry.OPENMETRICS_CONTENT_TYPE,
  });
  const temperature = new Gauge({ name: "temperature", help: "Degrees", registers });
  const seconds = new Histogram({
    name: "request_seconds",
    help: "Durations",
    buckets: [0.1, 1],
    registers,
  });
  const labels = { path: '/a"b\\c' };
  if (contentType === Registry.OPENMETRICS_CONTENT_TYPE)
    requests.inc({ labels, value: 3, exemplarLabels: { trace_id: "t1" } });
  else requests.inc(labels, 3);
  temperature.set(-1.5);
  for (const value of [0.05, 0.5, 5]) seconds.observe(value);
  const layout = new PageLayout();
  const text = Buffer.from(await registry.metrics());
  const page = parseExposition(text, contentType, layout);
  const samples = page.fresh.map(({ index, labels }): [string, number] => [
    String(labels),
    page.values[index] ?? Number.NaN,
  ]);
  return { samples: new Map(samples), layout, page };
}

describe("a page of prom-client", () => {
  it.each([Registry.PROMETHEUS_CONTENT_TYPE, Registry.OPENMETRICS_CONTENT_TYPE] as const)(
    "is understood as %s",
    async (contentType) => {
      const { samples, layout } = await pageOf(contentType);
      expect(samples.get('requests_total{path="/a\\"b\\\\c"}')).toBe(3);
      expect(samples.get("temperature")).toBe(-1.5);
      expect(samples.get('request_seconds_bucket{le="1.0"}')).toBe(2);
      expect(samples.get('request_seconds_bucket{le="+Inf"}')).toBe(3);
      expect(samples.get("request_seconds_sum")).toBeCloseTo(5.55);
      expect(layout.metadata.get("request_seconds")?.type).toBe("histogram");
    },
  );

  it("brings its exemplars", async () => {
    const { page } = await pageOf(Registry.OPENMETRICS_CONTENT_TYPE);
    expect(page.exemplars[0]?.labels.get("trace_id")).toBe("t1");
  });
});
