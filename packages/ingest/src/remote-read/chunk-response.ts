/**
 * A remote read's answer of type STREAMED_XOR_CHUNKS: frames of a length (varint), a CRC-32C (big endian) and a
 * `ChunkedReadResponse`, series in the order of their labels, one to a frame; a long series takes several frames, one after
 * the other. Source: prometheus storage/remote/{chunked,codec}.go, prompb/remote.proto.
 */
import {
  absentNaN,
  crc32c,
  highWord,
  type LabelMap,
  lowWord,
  type NativeHistogram,
  type SeriesBlock,
} from "@skopos/model";
import { ProtobufBuffer } from "../wire/protobuf-buffer.ts";
import { writeLabels } from "../wire/time-series.ts";
import { type Chunk, FloatChunk } from "./float-chunk.ts";
import { HistogramChunk } from "./histogram-chunk.ts";
import { type LabelledSeries, seriesInOrder } from "./series-order.ts";

export const chunkedContentType =
  "application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse";

/** As Prometheus cuts them. */
const chunkSamplesMax = 120;
const chunkBytesMax = 64 * 1024;
/** A frame is sent when it is longer; Prometheus's own limit. */
const frameBytesMax = 2 ** 20 - 2 * chunkBytesMax;
/** Pieces handed on are no shorter, but the last. */
const pieceBytesMin = 256 * 1024;

/** The frames of one query's result, in pieces that hold whole frames. */
export function* chunkedFrames(
  block: SeriesBlock,
  queryIndex: number,
  external: LabelMap,
): Generator<Uint8Array<ArrayBuffer>> {
  const message = new ProtobufBuffer();
  const piece = new Piece();
  for (const series of seriesInOrder(block, external)) {
    let begun: number | undefined;
    for (const { encoding, firstMs, lastMs, bytes } of chunksOf(block, series.index)) {
      begun ??= beginSeries(message, series);
      const chunk = message.begin(2);
      message.int(1, firstMs);
      message.int(2, lastMs);
      message.int(3, encoding);
      message.bytes(4, bytes);
      message.end(chunk);
      if (message.length < frameBytesMax) continue;
      endSeries(message, begun, queryIndex, piece);
      begun = undefined;
    }
    if (begun !== undefined) endSeries(message, begun, queryIndex, piece);
    if (piece.length >= pieceBytesMin) yield piece.take();
  }
  if (piece.length > 0) yield piece.take();
}

function beginSeries(message: ProtobufBuffer, { labels }: LabelledSeries): number {
  message.clear();
  const begun = message.begin(1);
  writeLabels(message, labels);
  return begun;
}

function endSeries(message: ProtobufBuffer, begun: number, queryIndex: number, into: Piece): void {
  message.end(begun);
  message.int(2, queryIndex);
  into.frame(message.finish());
}

/** Frames one after the other. */
class Piece {
  #parts: Uint8Array[] = [];
  length = 0;

  frame(message: Uint8Array): void {
    const head: number[] = [];
    let size = message.length;
    for (; size >= 0x80; size = Math.floor(size / 128)) head.push((size % 128) | 0x80);
    const checksum = crc32c(message);
    head.push(
      size,
      checksum >>> 24,
      (checksum >>> 16) & 255,
      (checksum >>> 8) & 255,
      checksum & 255,
    );
    this.#parts.push(Uint8Array.from(head), message.slice());
    this.length += head.length + message.length;
  }

  take(): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(this.length);
    let at = 0;
    for (const part of this.#parts) {
      bytes.set(part, at);
      at += part.length;
    }
    this.#parts = [];
    this.length = 0;
    return bytes;
  }
}

/** A series' samples and histograms in order of time; a chunk holds one kind. */
function* chunksOf(block: SeriesBlock, s: number): Generator<Chunk> {
  const floats = new FloatChunk();
  const histograms = new HistogramChunk();
  const times = block.times[block.timesOf[s] ?? 0] ?? new Float64Array();
  const from = block.offsets[s] ?? 0;
  const words = new Uint32Array(
    block.values.buffer,
    block.values.byteOffset + from * 8,
    2 * times.length,
  );
  for (let i = 0; i < times.length; i++) {
    const histogram = block.histograms?.get(from + i);
    if (histogram) {
      if (floats.count > 0) yield floats.take();
      if (isFull(histograms, histogram)) yield histograms.take();
      histograms.add(times[i] ?? 0, histogram);
      continue;
    }
    const low = words[2 * i + lowWord] ?? 0;
    const high = words[2 * i + highWord] ?? 0;
    if (high === absentNaN.high && low === absentNaN.low) continue;
    if (histograms.count > 0) yield histograms.take();
    if (floats.count === chunkSamplesMax) yield floats.take();
    floats.add(times[i] ?? 0, low, high);
  }
  if (floats.count > 0) yield floats.take();
  if (histograms.count > 0) yield histograms.take();
}

function isFull(chunk: HistogramChunk, next: NativeHistogram): boolean {
  return chunk.count === chunkSamplesMax || chunk.sizeBytes > chunkBytesMax || !chunk.takes(next);
}
