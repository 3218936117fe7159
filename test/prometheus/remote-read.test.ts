/**
 * Remote reads of streamed chunks: a real Prometheus that was told the same samples is asked the same, and what it and the
 * server answer must be alike, to the bytes of every chunk.
 */
import { afterAll, beforeAll, expect, it } from "vitest";
import { readChunkedFrames } from "../../packages/ingest/src/testing/chunk-reader.ts";
import { ProtobufWriter } from "../../packages/ingest/src/testing/protobuf-writer.ts";
import { scratchDir } from "../demo/processes.ts";
import { remoteWriteType, type SampleToPush, snappy, writeRequest } from "../robust/pushes.ts";
import { freePort, serve, type Served } from "../robust/served.ts";
import { type Peer, startPrometheus } from "./peers.ts";

const scratch = scratchDir();
const hourMs = 3_600_000;
/** The peer cuts its chunks at even hours, and earlier ones evenly: so close to the end there is one of each series. */
const startMs = Math.floor(Date.now() / (2 * hourMs)) * 2 * hourMs - 955_000;
let served: Served;
let peer: Peer;

beforeAll(async () => {
  served = await serve({ dir: `${scratch.dir}/served`, port: await freePort() });
  peer = await startPrometheus(`${scratch.dir}/peer`, { global: {} });
}, 120_000);

afterAll(async () => {
  await peer?.kill();
  await served?.running.stop();
  scratch.remove();
}, 60_000);

function series(name: string, count: number, valueOf: (i: number) => number): SampleToPush {
  const samples = Array.from({ length: count }, (_, i) => ({
    // Neither even nor regular, as scrapes are.
    timeMs: startMs + i * 5000 + ((i * i) % 37) + (i > 50 ? 400_000 : 0),
    value: valueOf(i),
  }));
  return { labels: { __name__: name, job: "chunks" }, samples };
}

const given = [
  series("chunked_constant", 100, () => 1),
  series("chunked_counter", 90, (i) => i * i * 3),
  series("chunked_fractions", 100, (i) => Math.sin(i) * 10 ** (i % 9)),
  series("chunked_single", 1, () => -0),
  series("chunked_special", 30, (i) => [NaN, Infinity, -Infinity, 5e-324][i % 4] ?? 0),
];

async function push(url: string): Promise<void> {
  const body = snappy(writeRequest(given));
  const response = await fetch(url, { method: "POST", headers: remoteWriteType, body });
  expect(response.status).toBe(204);
}

async function read(url: string, ...accepted: number[]): Promise<Response> {
  const request = new ProtobufWriter()
    .message(1, (query) =>
      query
        .varint(1, startMs)
        .varint(2, startMs + 2 * hourMs)
        .message(3, (matcher) => matcher.varint(1, 0).text(2, "job").text(3, "chunks"))
        .message(3, (matcher) => matcher.varint(1, 2).text(2, "__name__").text(3, "chunked_.*")),
    )
    .bytes(2, Uint8Array.from(accepted));
  return fetch(`${url}/api/v1/read`, {
    method: "POST",
    headers: {
      "content-type": "application/x-protobuf",
      "content-encoding": "snappy",
      "x-prometheus-remote-read-version": "0.1.0",
    },
    body: snappy(Buffer.from(request.finish())),
  });
}

/** Releases differ in whether a chunk that ends with a whole byte has an empty one after it. */
function withoutPadding(series: ReturnType<typeof readChunkedFrames>["series"][number]) {
  const chunks = series.chunks.map((chunk) => ({
    ...chunk,
    bytes: Buffer.from(chunk.bytes)
      .toString("hex")
      .replace(/(00)+$/, ""),
  }));
  return { ...series, chunks };
}

it("chunks are byte for byte those of a Prometheus that holds the same samples", async () => {
  await push(`${served.url}/api/v1/write`);
  await push(peer.writeUrl);
  const [ours, theirs] = await Promise.all(
    [served.url, peer.url].map(async (url) => {
      const response = await read(url, 1, 0);
      expect(response.status).toBe(200);
      expect(response.headers.get("content-type")).toBe(
        "application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse",
      );
      return readChunkedFrames(new Uint8Array(await response.arrayBuffer())).series;
    }),
  );
  expect(ours).toHaveLength(given.length);
  expect(ours?.map(withoutPadding)).toEqual(theirs?.map(withoutPadding));
});

it("a client that likes samples better gets them", async () => {
  const response = await read(served.url, 0, 1);
  expect(response.headers.get("content-type")).toBe("application/x-protobuf");
  expect(response.headers.get("content-encoding")).toBe("snappy");
});
