/**
 * One trace of `--size` spans (default 50,000) opened in Chromium from a server as built: from the navigation to the first rows of
 * the waterfall on the screen, nothing cached, at a desktop's size and a phone's, and how evenly it scrolls. The trace is a batch
 * job that sends requests through the made-up shop of load/mesh-traffic.ts, eight at a time. Chromium (SKOPOS_CHROMIUM, else the
 * system's) draws without a graphics card; browser and server share the machine.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { Span } from "@skopos/model";
import type { Browser, Page } from "playwright-core";
import { launchBrowser } from "../test/demo/browser.ts";
import { MeshTraffic } from "./load/mesh-traffic.ts";
import { pushAll } from "./load/pushing.ts";
import { SpanTemplate } from "./load/templates.ts";
import { percentile, rounded } from "./peers/figures.ts";
import { startSkopos } from "./peers/skopos.ts";

const rounds = 5;
const atOnce = 8;
const spansPerRequest = 2000;
const scrollMs = 3000;
const sizes = {
  desktop: { width: 1280, height: 800 },
  phone: { width: 390, height: 844 },
} as const;

const nsPerMs = 1_000_000n;

/** Every span is of the batch job's trace; the requests it sends follow each other in lanes. */
function makeTrace(size: number, startNs: bigint): Span[] {
  const traffic = new MeshTraffic(5);
  const traceId = traffic.draw.hex(4);
  const jobId = traffic.draw.hex(2);
  const spans: Span[] = [];
  const lanes = Array.from({ length: atOnce }, () => startNs + nsPerMs);
  while (spans.length < size - 1) {
    const lane = spans.length % atOnce;
    const { spans: made } = traffic.request(lanes[lane] ?? startNs);
    const ends = made.map((span) => span.startNs + BigInt(span.durationNs));
    lanes[lane] = ends.reduce((latest, end) => (end > latest ? end : latest), startNs) + nsPerMs;
    for (const span of made)
      spans.push({ ...span, traceId, parentSpanId: span.parentSpanId || jobId });
  }
  const [model] = spans;
  if (!model) throw new Error("a trace needs at least two spans");
  spans.length = size - 1;
  const endNs = lanes.reduce((latest, end) => (end > latest ? end : latest), startNs);
  const resource = { "service.name": "nightly-batch", "k8s.namespace.name": "shop" };
  return [
    {
      ...model,
      spanId: jobId,
      parentSpanId: "",
      name: "warm every page",
      service: "nightly-batch",
      kind: "internal",
      startNs,
      durationNs: Number(endNs - startNs),
      attributes: {},
      resource,
    },
    ...spans,
  ];
}

function* requestsOf(spans: readonly Span[]) {
  for (let at = 0; at < spans.length; at += spansPerRequest)
    yield new SpanTemplate(spans.slice(at, at + spansPerRequest)).request(0, 0n);
}

/** When the frame with the first row has been drawn, from the navigation on. */
const watchRows = `
  window.rowsPainted = new Promise((resolve) => {
    const look = () => {
      if (!document.querySelector(".span-row")) return requestAnimationFrame(look);
      requestAnimationFrame(() => setTimeout(() => resolve(performance.now())));
    };
    requestAnimationFrame(look);
  });
`;

/** Milliseconds between frames while it scrolls. */
const watchFrames = `new Promise((resolve) => {
  const frames = [];
  const began = performance.now();
  let last = began;
  const note = (now) => {
    if (now > last) frames.push(now - last);
    last = now;
    if (now - began < ${scrollMs}) requestAnimationFrame(note);
    else resolve(frames);
  };
  requestAnimationFrame(note);
})`;

interface Opened {
  readonly rowsMs: number;
  readonly outlineMs: number;
  readonly outlineBytes: number;
}

async function open(page: Page, url: string): Promise<Opened> {
  await page.addInitScript(watchRows);
  await page.goto(url, { waitUntil: "commit" });
  return page.evaluate<Opened>(`window.rowsPainted.then((rowsMs) => {
    const [outline] = performance.getEntriesByType("resource").filter(({ name }) => name.endsWith("/outline"));
    return {
      rowsMs,
      outlineMs: outline.responseEnd - outline.startTime,
      outlineBytes: outline.encodedBodySize,
    };
  })`);
}

async function scroll(page: Page): Promise<number[]> {
  await page.waitForLoadState("networkidle");
  await page.locator(".waterfall .rows").scrollIntoViewIfNeeded();
  await page.locator(".span-row").nth(3).hover();
  const frames = page.evaluate<number[]>(watchFrames);
  const over = new AbortController();
  const turned = (async () => {
    while (!over.signal.aborted) await page.mouse.wheel(0, 600);
  })();
  const found = await frames;
  over.abort();
  await turned;
  return found;
}

async function measure(browser: Browser, url: string, name: keyof typeof sizes) {
  const opened: Opened[] = [];
  let frames: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const context = await browser.newContext({ viewport: sizes[name] });
    const page = await context.newPage();
    opened.push(await open(page, url));
    if (round === rounds - 1) frames = await scroll(page);
    await context.close();
  }
  const median = (of: (each: Opened) => number) => Math.round(percentile(opened.map(of), 0.5));
  return {
    [`${name}RowsMs`]: median(({ rowsMs }) => rowsMs),
    [`${name}RowsMsMax`]: Math.round(Math.max(...opened.map(({ rowsMs }) => rowsMs))),
    [`${name}OutlineMs`]: median(({ outlineMs }) => outlineMs),
    outlineBytes: median(({ outlineBytes }) => outlineBytes),
    [`${name}Frames`]: frames.length,
    [`${name}FrameMsP95`]: rounded(percentile(frames, 0.95), 1),
    [`${name}FrameMsMax`]: rounded(Math.max(...frames), 1),
  };
}

export async function run({ size = 50_000 }: { size: number | undefined }) {
  process.env["SKOPOS_CHROMIUM"] ??= "/usr/bin/chromium";
  const dir = mkdtempSync(path.join(tmpdir(), "skopos-bench-"));
  try {
    const peer = await startSkopos(dir);
    try {
      const spans = makeTrace(size, BigInt(Date.now() - 600_000) * nsPerMs);
      await pushAll(peer, "/v1/traces", requestsOf(spans));
      const browser = await launchBrowser();
      const url = `${peer.url}/traces/${spans[0]?.traceId}`;
      const desktop = await measure(browser, url, "desktop");
      const phone = await measure(browser, url, "phone");
      await browser.close();
      const figures = { spans: spans.length, ...desktop, ...phone };
      console.table(figures);
      return figures;
    } finally {
      await peer.stop();
    }
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
