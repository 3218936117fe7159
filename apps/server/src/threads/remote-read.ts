/** Remote reads, answered in a query thread: what is decoded, selected and encoded never passes through the main thread. */
import { decodeReadRequest, encodeReadResponse, withoutExternal } from "@skopos/ingest";
import type { LabelMap, MetricReader, SeriesBlock } from "@skopos/model";

const seriesMax = 500_000;
/** The answer is one block in memory; about a hundred megabytes before it is compressed. */
const samplesMax = 5_000_000;

/** Throws "bad-protobuf", "bad-snappy", "not-supported", "limit", "cancelled". */
export async function answerRead(
  reader: MetricReader,
  body: Uint8Array,
  external: LabelMap,
  cancelled: () => boolean,
): Promise<Uint8Array<ArrayBuffer>> {
  const blocks: (SeriesBlock | undefined)[] = [];
  let left = samplesMax;
  for (const { matchers: asked, startMs, endMs } of decodeReadRequest(body)) {
    const matchers = withoutExternal(asked, external);
    const range = { startMs: startMs - 1, endMs };
    const block =
      matchers &&
      (await reader.select({ matchers, ...range, seriesMax, samplesMax: left, cancelled }));
    left -= block?.values.length ?? 0;
    blocks.push(block);
  }
  return encodeReadResponse(blocks, external);
}
