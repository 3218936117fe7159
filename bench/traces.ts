/**
 * Spans through the running server as built: OTLP protobuf in over HTTP as fast as it acknowledges, then the questions that
 * people ask, over HTTP too. The spans are those of a made-up shop on Istio (load/mesh-traffic.ts), spread over the last
 * hour; a hundred thousand are made and sent again with other ids and times until there are `--size` (default 2,000,000).
 * Beside it the floor: the same requests in a zstd file, searched with grep, measured on what was made and scaled up.
 * The load runs on the same machine and takes its part of it.
 */
import { appendFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { Span } from "@skopos/model";
import { Draw, MeshTraffic } from "./load/mesh-traffic.ts";
import { pushAll, timeCalls } from "./load/pushing.ts";
import { changedId, SpanTemplate } from "./load/templates.ts";
import { percentile, rounded } from "./peers/figures.ts";
import { zstdFloor } from "./peers/floor.ts";
import { startSkopos } from "./peers/skopos.ts";
import { mergedSizes } from "./peers/tables.ts";

const madeSpansMax = 100_000;
const spansPerRequest = 2000;
const hourNs = 3_600_000_000_000n;
const lookUps = 200;
const searches = 20;

function makeTemplates(size: number): SpanTemplate[] {
  const traffic = new MeshTraffic(7);
  const templates: SpanTemplate[] = [];
  let spans: Span[] = [];
  const wanted = Math.min(size, madeSpansMax);
  for (let made = 0; made < wanted;) {
    // A second's worth of traffic from second 1 on; where it comes to lie is decided when it is sent.
    const from = traffic.request(1_000_000_000n + BigInt(traffic.draw.below(1000)) * 1_000_000n);
    spans.push(...from.spans);
    made += from.spans.length;
    if (spans.length < spansPerRequest && made < wanted) continue;
    templates.push(new SpanTemplate(spans));
    spans = [];
  }
  return templates;
}

interface Sent {
  readonly template: SpanTemplate;
  readonly key: number;
}

function* requestsOf(
  templates: readonly SpanTemplate[],
  size: number,
  endNs: bigint,
  sent: Sent[],
) {
  const draw = new Draw(11);
  const average = templates.reduce((sum, { spans }) => sum + spans, 0) / templates.length;
  const count = Math.ceil(size / average);
  for (let i = 0; i < count; i++) {
    const template = templates[i % templates.length];
    if (!template) return;
    const key = draw.word();
    sent.push({ template, key });
    yield template.request(key, endNs - hourNs + (hourNs * BigInt(i)) / BigInt(count));
  }
}

export async function run({ size = 2_000_000 }: { size: number | undefined }) {
  const dir = mkdtempSync(path.join(tmpdir(), "skopos-bench-"));
  try {
    const templates = makeTemplates(size);
    const peer = await startSkopos(dir);
    const endMs = Date.now();
    const sent: Sent[] = [];
    const pushed = await pushAll(
      peer,
      "/v1/traces",
      requestsOf(templates, size, BigInt(endMs) * 1_000_000n, sent),
    );
    const spans = sent.reduce((sum, { template }) => sum + template.spans, 0);
    const usage = peer.usage();
    const asked = await ask(peer.url, sent, endMs);
    await peer.stop();
    const sizes = await mergedSizes(path.join(dir, "skopos/clickhouse"), [
      "spans",
      "trace_index",
      "span_rates",
    ]);
    const bytesOf = (table: string) =>
      (sizes.find((found) => found.table === table)?.bytes ?? Number.NaN) / spans;
    const file = path.join(dir, "requests");
    const made = templates.reduce((sum, template) => sum + template.spans, 0);
    for (const template of templates) appendFileSync(file, template.request(0, 0n));
    const floor = zstdFloor(file, templates[0]?.requestIds[0] ?? "");
    const figures = {
      spans,
      stored: sizes.find(({ table }) => table === "spans")?.rows,
      acknowledgedPerSecond: Math.round(spans / pushed.acknowledgedSeconds),
      searchablePerSecond: Math.round(spans / pushed.searchableSeconds),
      loopDelayP99MsMax: rounded(pushed.loopDelayMsMax),
      heldBack: pushed.heldBack,
      serverCpuUsPerSpan: rounded((usage.cpuSeconds * 1e6) / spans),
      residentMB: Math.round(usage.residentBytes / 1e6),
      ...asked,
      bytesPerSpan: rounded(bytesOf("spans")),
      indexBytesPerSpan: rounded(bytesOf("trace_index") + bytesOf("span_rates")),
      floorZstdBytesPerSpan: rounded(floor.bytes / made),
      floorZstdGrepMs: rounded((floor.searchMs * spans) / made),
    };
    console.table(figures);
    return figures;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

async function ask(url: string, sent: readonly Sent[], endMs: number) {
  const draw = new Draw(13);
  const pick = <Item>(items: readonly Item[]) => items[draw.below(items.length)];
  const byId = Array.from({ length: lookUps }, () => {
    const from = pick(sent);
    const id = changedId(pick(from?.template.traceIds ?? []) ?? "", from?.key ?? 0);
    return `${url}/tempo/api/traces/${id}`;
  });
  const range = `start=${Math.floor(endMs / 1000) - 3600}&end=${Math.ceil(endMs / 1000)}&limit=20`;
  const search = (query: string) =>
    Array.from(
      { length: searches },
      () => `${url}/tempo/api/search?q=${encodeURIComponent(query)}&${range}`,
    );
  const some = (body: string) => body.includes('"traceID"');
  const found = await timeCalls(byId, (body) => body.includes("guid:x-request-id"));
  const frequent = await timeCalls(
    search(
      `{ resource.service.name = "frontend" && duration > 20ms && span.http.status_code = "500" }`,
    ),
    some,
  );
  const other = await timeCalls(
    search(
      `{ resource.service.name = "cart" && duration > 5ms && span.peer.address =~ "10.244.*" && span.response_size != "0" }`,
    ),
    some,
  );
  const p = (took: readonly number[], at: number) => rounded(percentile(took, at));
  return {
    traceByIdP50Ms: p(found, 0.5),
    traceByIdP95Ms: p(found, 0.95),
    searchP50Ms: p(frequent, 0.5),
    searchP95Ms: p(frequent, 0.95),
    searchOtherAttributeP50Ms: p(other, 0.5),
    searchOtherAttributeP95Ms: p(other, 0.95),
  };
}
