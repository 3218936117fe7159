/**
 * Access-log lines through the running server as built: Loki's protobuf push over HTTP as fast as it acknowledges, then
 * texts searched over HTTP. The lines are those of a made-up shop on Istio, in its text format (load/mesh-traffic.ts),
 * spread over the last hour; a hundred thousand are made and sent again with other request ids and times until there are
 * `--size` (default 2,000,000). Beside it the floor: the same lines in a zstd file, searched with grep, measured on what was
 * made and scaled up. The load runs on the same machine and takes its part of it.
 */
import { appendFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { Draw, type Exchange, MeshTraffic } from "./load/mesh-traffic.ts";
import { pushAll, timeCalls } from "./load/pushing.ts";
import { changedId, LineTemplate } from "./load/templates.ts";
import { percentile, rounded } from "./peers/figures.ts";
import { zstdFloor } from "./peers/floor.ts";
import { startSkopos } from "./peers/skopos.ts";
import { mergedSizes } from "./peers/tables.ts";

const madeLinesMax = 100_000;
const linesPerRequest = 3000;
const hourSeconds = 3600;
const repeats = 5;

interface Made {
  readonly templates: readonly LineTemplate[];
  readonly text: string;
  readonly lines: number;
}

function make(size: number): Made {
  const traffic = new MeshTraffic(7);
  const templates: LineTemplate[] = [];
  let exchanges: Exchange[] = [];
  let text = "";
  let lines = 0;
  const wanted = Math.min(size, madeLinesMax);
  while (lines < wanted) {
    const startNs = 1_500_000_000_000_000_000n + BigInt(traffic.draw.below(1000)) * 1_000_000n;
    const from = traffic.request(startNs);
    exchanges.push(...from.exchanges);
    lines += from.exchanges.length;
    if (exchanges.length < linesPerRequest && lines < wanted) continue;
    templates.push(new LineTemplate(exchanges));
    text += LineTemplate.text(exchanges);
    exchanges = [];
  }
  return { templates, text, lines };
}

interface Sent {
  readonly template: LineTemplate;
  readonly key: number;
}

/** Second that the made lines are of. */
const madeAtSeconds = 1_500_000_000;

function* requestsOf({ templates, lines }: Made, size: number, endSeconds: number, sent: Sent[]) {
  const draw = new Draw(11);
  const count = Math.ceil((size * templates.length) / lines);
  for (let i = 0; i < count; i++) {
    const template = templates[i % templates.length];
    if (!template) return;
    const key = draw.word();
    sent.push({ template, key });
    const at = endSeconds - hourSeconds + Math.floor((hourSeconds * i) / count);
    yield template.request(key, at - madeAtSeconds);
  }
}

export async function run({ size = 2_000_000 }: { size: number | undefined }) {
  const dir = mkdtempSync(path.join(tmpdir(), "skopos-bench-"));
  try {
    const made = make(size);
    const peer = await startSkopos(dir);
    const endSeconds = Math.floor(Date.now() / 1000);
    const sent: Sent[] = [];
    const pushed = await pushAll(
      peer,
      "/loki/api/v1/push",
      requestsOf(made, size, endSeconds, sent),
    );
    const lines = sent.reduce((sum, { template }) => sum + template.lines, 0);
    const usage = peer.usage();
    const rare = sent[sent.length >> 1];
    const rareId = changedId(rare?.template.requestIds[0] ?? "", rare?.key ?? 0);
    await pushRareWord(peer.url, endSeconds);
    const asked = await ask(peer.url, rareId, endSeconds);
    await peer.stop();
    const [logs] = await mergedSizes(path.join(dir, "skopos/clickhouse"), ["logs"]);
    const file = path.join(dir, "lines");
    appendFileSync(file, made.text);
    const floor = zstdFloor(file, "OutOfMemory");
    const figures = {
      lines,
      stored: logs?.rows,
      acknowledgedPerSecond: Math.round(lines / pushed.acknowledgedSeconds),
      searchablePerSecond: Math.round(lines / pushed.searchableSeconds),
      loopDelayP99MsMax: rounded(pushed.loopDelayMsMax),
      heldBack: pushed.heldBack,
      serverCpuUsPerLine: rounded((usage.cpuSeconds * 1e6) / lines),
      residentMB: Math.round(usage.residentBytes / 1e6),
      ...asked,
      bytesPerLine: rounded((logs?.bytes ?? Number.NaN) / lines),
      floorZstdBytesPerLine: rounded(floor.bytes / made.lines),
      floorZstdGrepMs: rounded((floor.searchMs * lines) / made.lines),
    };
    console.table(figures);
    return figures;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

const rareWord = "OutOfMemoryKilled";

/** One line in the middle of the hour; it has arrived when it is found. */
async function pushRareWord(url: string, endSeconds: number): Promise<void> {
  const values = [[`${endSeconds - hourSeconds / 2}000000000`, `container ended: ${rareWord}`]];
  const streams = [{ stream: { namespace: "shop", app: "cart", container: "app" }, values }];
  const response = await fetch(`${url}/loki/api/v1/push`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ streams }),
  });
  if (!response.ok) throw new Error(`the rare line was refused: ${response.status}`);
  for (;;) {
    const body = await (await fetch(searchUrl(url, rareWord, endSeconds))).text();
    if (body.includes("container ended")) return;
  }
}

function searchUrl(url: string, text: string, endSeconds: number): string {
  const query = encodeURIComponent(`{namespace="shop"} |= ${JSON.stringify(text)}`);
  return `${url}/loki/api/v1/query_range?query=${query}&limit=100&start=${endSeconds - hourSeconds - 1}&end=${endSeconds + 10}`;
}

async function ask(url: string, rareId: string, endSeconds: number) {
  const times = async (text: string, found: (body: string) => boolean) => {
    const urls = Array.from({ length: repeats }, () => searchUrl(url, text, endSeconds));
    return timeCalls(urls, found);
  };
  const some = (body: string) => body.includes('"values"');
  const p50 = (took: readonly number[]) => rounded(percentile(took, 0.5));
  // Part of a word, of a number and of neither: what no index knows as a whole.
  const frequent = await times("rome/131", some);
  const nowhere = await times('" 299 - via', (body) => body.includes('"success"'));
  const word = await times("MemoryKill", some);
  const id = await times(rareId, some);
  const count = encodeURIComponent(`sum(count_over_time({namespace="shop"} |= "Chrome" [1h]))`);
  const counted = await timeCalls(
    Array.from(
      { length: repeats },
      () => `${url}/loki/api/v1/query?query=${count}&time=${endSeconds}`,
    ),
    (body) => body.includes('"success"'),
  );
  return {
    textFrequentMs: p50(frequent),
    textNowhereMs: p50(nowhere),
    textNowhereFirstMs: rounded(nowhere[0] ?? Number.NaN),
    rareWordMs: p50(word),
    rareWordFirstMs: rounded(word[0] ?? Number.NaN),
    requestIdMs: p50(id),
    countTextMs: p50(counted),
  };
}
