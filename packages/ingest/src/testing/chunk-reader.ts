/**
 * Reads Prometheus's chunks and the frames they are streamed in, for tests: written after the readers upstream
 * (tsdb/chunkenc/{xor,float_histogram,histogram_meta}.go) and apart from what writes them here.
 */
import { crc32c } from "@skopos/model";
import { ProtobufReader } from "../wire/protobuf.ts";

class Bits {
  readonly #bytes: Uint8Array;
  #at: number;

  constructor(bytes: Uint8Array, fromByte: number) {
    this.#bytes = bytes;
    this.#at = fromByte * 8;
  }

  bit(): bigint {
    const byte = this.#bytes[this.#at >> 3];
    if (byte === undefined) throw new Error("the chunk ends too early");
    return BigInt((byte >> (7 - (this.#at++ & 7))) & 1);
  }

  unsigned(count: number): bigint {
    let value = 0n;
    for (let i = 0; i < count; i++) value = (value << 1n) | this.bit();
    return value;
  }

  /** How many ones stand before a zero; at most `max`. */
  ones(max: number): number {
    let count = 0;
    while (count < max && this.bit() === 1n) count++;
    return count;
  }

  uvarint(): bigint {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = this.unsigned(8);
      value |= (byte & 0x7fn) << shift;
      if (byte < 0x80n) return value;
    }
  }

  /** As many bits as the chunk says, where one more fits upwards than downwards. */
  signed(count: number): bigint {
    const value = this.unsigned(count);
    return value > 1n << BigInt(count - 1) ? value - (1n << BigInt(count)) : value;
  }

  varbitUint(): bigint {
    return this.unsigned([0, 3, 6, 9, 12, 18, 25, 56, 64][this.ones(8)] ?? 0);
  }

  varbitInt(): bigint {
    const count = [0, 3, 6, 9, 12, 18, 25, 56, 64][this.ones(8)] ?? 0;
    if (count === 0) return 0n;
    return count === 64 ? BigInt.asIntN(64, this.unsigned(64)) : this.signed(count);
  }
}

/** A column of doubles as their bits. */
class Column {
  #bits: bigint;
  #leading = 0;
  #trailing = 0;

  constructor(from: Bits) {
    this.#bits = from.unsigned(64);
  }

  get value(): bigint {
    return this.#bits;
  }

  next(from: Bits): bigint {
    if (from.bit() === 0n) return this.#bits;
    if (from.bit() === 1n) {
      this.#leading = Number(from.unsigned(5));
      const significant = Number(from.unsigned(6)) || 64;
      this.#trailing = 64 - this.#leading - significant;
    }
    const delta = from.unsigned(64 - this.#leading - this.#trailing) << BigInt(this.#trailing);
    return (this.#bits ^= delta);
  }
}

export function doubleOf(bits: bigint): number {
  return new Float64Array(BigUint64Array.of(bits).buffer)[0] ?? NaN;
}

const countOf = (bytes: Uint8Array) => ((bytes[0] ?? 0) << 8) | (bytes[1] ?? 0);

/** Times, and the bits of values. */
export function readFloatChunk(bytes: Uint8Array): [number, bigint][] {
  const from = new Bits(bytes, 2);
  const samples: [number, bigint][] = [];
  let values: Column | undefined;
  let time = 0n;
  let delta = 0n;
  for (let i = 0; i < countOf(bytes); i++) {
    if (!values) {
      const raw = from.uvarint();
      time = (raw >> 1n) ^ -(raw & 1n);
      values = new Column(from);
      samples.push([Number(time), values.value]);
      continue;
    }
    if (i === 1) delta = from.uvarint();
    else {
      const size = [0, 14, 17, 20, 64][from.ones(4)] ?? 0;
      if (size === 64) delta += BigInt.asIntN(64, from.unsigned(64));
      else if (size > 0) delta += from.signed(size);
    }
    time += delta;
    samples.push([Number(time), values.next(from)]);
  }
  return samples;
}

interface ReadHistogram {
  readonly timeMs: number;
  /** Count, zero count, sum, positive buckets, negative buckets. */
  readonly numbers: readonly number[];
}

interface HistogramChunkRead {
  readonly resetHeader: number;
  readonly zeroThreshold: number;
  readonly schema: number;
  /** Length and offset. */
  readonly spans: readonly (readonly (readonly [number, number])[])[];
  readonly customValues: readonly number[];
  readonly histograms: readonly ReadHistogram[];
}

export function readHistogramChunk(bytes: Uint8Array): HistogramChunkRead {
  const from = new Bits(bytes, 3);
  const threshold = Number(from.unsigned(8));
  const zeroThreshold =
    threshold === 0
      ? 0
      : threshold === 255
        ? doubleOf(from.unsigned(64))
        : 2 ** (threshold - 243 - 1);
  const schema = Number(from.varbitInt());
  const spans = [0, 1].map(() =>
    Array.from({ length: Number(from.varbitUint()) }, () => {
      const length = Number(from.varbitUint());
      return [length, Number(from.varbitInt())] as const;
    }),
  );
  const customValues = Array.from(
    { length: schema === -53 ? Number(from.varbitUint()) : 0 },
    () => {
      const whole = from.varbitUint();
      return whole === 0n ? doubleOf(from.unsigned(64)) : Number(whole - 1n) / 1000;
    },
  );
  const width = 3 + spans.flat().reduce((sum, [length]) => sum + length, 0);
  let columns: Column[] | undefined;
  let time = 0n;
  let delta = 0n;
  const histograms = Array.from({ length: countOf(bytes) }, () => {
    if (!columns) {
      time = from.varbitInt();
      columns = Array.from({ length: width }, () => new Column(from));
      return { timeMs: Number(time), numbers: columns.map(({ value }) => doubleOf(value)) };
    }
    delta += from.varbitInt();
    time += delta;
    return { timeMs: Number(time), numbers: columns.map((each) => doubleOf(each.next(from))) };
  });
  return {
    resetHeader: (bytes[2] ?? 0) >> 6,
    zeroThreshold,
    schema,
    spans,
    customValues,
    histograms,
  };
}

interface StreamedSeries {
  readonly queryIndex: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly chunks: readonly {
    readonly minMs: number;
    readonly maxMs: number;
    readonly encoding: number;
    readonly bytes: Uint8Array;
  }[];
}

/** Throws where a checksum or a length is wrong. */
export function readChunkedFrames(bytes: Uint8Array): {
  series: StreamedSeries[];
  sizes: number[];
} {
  const series: StreamedSeries[] = [];
  const sizes: number[] = [];
  for (let at = 0; at < bytes.length;) {
    let size = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++] ?? 0;
      size += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) break;
    }
    const checksum = new DataView(bytes.buffer, bytes.byteOffset + at, 4).getUint32(0, false);
    const message = bytes.subarray(at + 4, at + 4 + size);
    if (message.length < size) throw new Error("the last frame is cut");
    if (crc32c(message) !== checksum) throw new Error("a frame's checksum is wrong");
    series.push(...readResponse(message));
    sizes.push(size);
    at += 4 + size;
  }
  return { series, sizes };
}

function readResponse(message: Uint8Array): StreamedSeries[] {
  const reader = new ProtobufReader(Buffer.from(message), "ChunkedReadResponse");
  const found: Omit<StreamedSeries, "queryIndex">[] = [];
  let queryIndex = 0;
  for (let field = reader.next(); field !== 0; field = reader.next())
    if (field === 1) found.push(readSeries(reader.message("ChunkedSeries")));
    else if (field === 2) queryIndex = Number(reader.int64());
    else reader.skip();
  return found.map((each) => ({ ...each, queryIndex }));
}

function readSeries(reader: ProtobufReader): Omit<StreamedSeries, "queryIndex"> {
  const labels: Record<string, string> = {};
  const chunks: StreamedSeries["chunks"][number][] = [];
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    const inner = reader.message("Label or Chunk");
    if (field === 1) {
      inner.next();
      const name = inner.text();
      inner.next();
      labels[name] = inner.text();
      continue;
    }
    let [minMs, maxMs, encoding, bytes] = [0, 0, 0, new Uint8Array()];
    for (let part = inner.next(); part !== 0; part = inner.next())
      if (part === 1) minMs = Number(inner.int64());
      else if (part === 2) maxMs = Number(inner.int64());
      else if (part === 3) encoding = inner.int32();
      else bytes = Uint8Array.from(inner.bytes());
    chunks.push({ minMs, maxMs, encoding, bytes });
  }
  return { labels, chunks };
}
