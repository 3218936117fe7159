/**
 * Serves the pages of a mesh's proxies on loopback, in a process of its own so that its work is nobody's figure.
 * Arguments: series, "plain" or "gzip". Prints its address; GET /served says what was fetched since it was asked last.
 */
import { createServer } from "node:http";
import { gzipSync } from "node:zlib";
import { IstioPages } from "./istio-pages.ts";
import type { ServedPages } from "./load-process.ts";

const [series = "20000", encoding = "plain"] = process.argv.slice(2);
const pages = new IstioPages(Number(series));
let byTarget = pages.mesh.targets.map(() => 0);
let samples = 0;

const server = createServer((request, response) => {
  if (request.url === "/served") {
    response.end(JSON.stringify({ byTarget, samples } satisfies ServedPages));
    byTarget = byTarget.map(() => 0);
    samples = 0;
    return;
  }
  const index = Number(/^\/proxy\/(\d+)$/.exec(request.url ?? "")?.[1] ?? -1);
  if (!pages.mesh.targets[index]) {
    response.writeHead(404).end();
    return;
  }
  const page = pages.page(index, Date.now());
  byTarget[index] = (byTarget[index] ?? 0) + 1;
  samples += pages.seriesOf(index);
  response.setHeader("content-type", "text/plain; version=0.0.4; charset=utf-8");
  if (encoding === "gzip") {
    response.setHeader("content-encoding", "gzip");
    response.end(gzipSync(page, { level: 1 }));
    // The page's buffer is used again by the next one.
  } else response.end(Uint8Array.from(page));
});
server.keepAliveTimeout = 120_000;
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  if (typeof address === "object" && address) console.log(`127.0.0.1:${address.port}`);
});
