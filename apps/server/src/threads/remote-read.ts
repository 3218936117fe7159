/**
 * Remote reads, answered in a query thread: what is selected and encoded never passes through the main thread. Chunks are
 * sent ahead while they are encoded, one query's samples in memory at a time; samples are one message and limited more.
 */
import {
  chunkedFrames,
  encodeReadResponse,
  type ReadRequest,
  withoutExternal,
} from "@skopos/ingest";
import { CancelledError, type LabelMap, type MetricReader, type SeriesBlock } from "@skopos/model";
import type { CallContext } from "./rpc.ts";

const seriesMax = 500_000;
/** About a hundred megabytes before it is compressed. */
const samplesMax = 5_000_000;
/** Of one query; they are held as columns, eight bytes each and their times. */
const chunkedSamplesMax = 20_000_000;

type ReadQuery = ReadRequest["queries"][number];

/** Returns the last part. Throws "limit", "cancelled". */
export async function answerRead(
  reader: MetricReader,
  { queries, responseType }: ReadRequest,
  external: LabelMap,
  context: Pick<CallContext, "cancelled" | "emit">,
): Promise<Uint8Array<ArrayBuffer>> {
  const { cancelled, emit } = context;
  if (responseType === "samples") {
    const blocks: (SeriesBlock | undefined)[] = [];
    let left = samplesMax;
    for (const query of queries) {
      const block = await select(reader, query, external, left, cancelled);
      left -= block?.values.length ?? 0;
      blocks.push(block);
    }
    return encodeReadResponse(blocks, external);
  }
  for (const [index, query] of queries.entries()) {
    const block = await select(reader, query, external, chunkedSamplesMax, cancelled);
    if (!block) continue;
    for (const piece of chunkedFrames(block, index, external)) {
      if (cancelled()) throw new CancelledError();
      await emit(piece);
    }
  }
  return new Uint8Array();
}

async function select(
  reader: MetricReader,
  { matchers: asked, startMs, endMs }: ReadQuery,
  external: LabelMap,
  left: number,
  cancelled: () => boolean,
): Promise<SeriesBlock | undefined> {
  const matchers = withoutExternal(asked, external);
  const range = { startMs: startMs - 1, endMs };
  return matchers && reader.select({ matchers, ...range, seriesMax, samplesMax: left, cancelled });
}
