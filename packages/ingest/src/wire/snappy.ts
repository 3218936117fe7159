/**
 * Snappy's block format, inflated with every bound checked: the stated length against a limit before anything is allocated,
 * each copy against what is there. Source: google/snappy format_description.txt.
 */
import { IngestError } from "../errors.ts";

function fail(at: number, reason: string): never {
  throw new IngestError("bad-snappy", `byte ${at} of the snappy block: ${reason}`);
}

/** Shorter pieces are copied here: calling out costs more than they do. */
const shortBytes = 128;
/** A block that inflates to more gets a buffer that is not kept. */
const keptBytesMax = 8 * 2 ** 20;

/** Inflates one block into bytes of their own. Throws "bad-snappy", or "too-large" when it states more than `sizeMax` bytes. */
export function inflateSnappy(input: Uint8Array, sizeMax: number): Uint8Array {
  const { size, start } = readSize(input, sizeMax);
  const output = new Uint8Array(size);
  inflateBlock(input, start, output, new DataView(output.buffer), size);
  return output;
}

/** Inflates block after block into one buffer. */
export class SnappyInflater {
  #bytes = new Uint8Array(64 * 1024);
  #view = new DataView(this.#bytes.buffer);

  /** As `inflateSnappy`; what it returns is valid until the next call. */
  inflate(input: Uint8Array, sizeMax: number): Uint8Array {
    const { size, start } = readSize(input, sizeMax);
    if (size > keptBytesMax) return inflateSnappy(input, sizeMax);
    if (size > this.#bytes.length) {
      this.#bytes = new Uint8Array(Math.min(keptBytesMax, Math.max(size, 2 * this.#bytes.length)));
      this.#view = new DataView(this.#bytes.buffer);
    }
    inflateBlock(input, start, this.#bytes, this.#view, size);
    return this.#bytes.subarray(0, size);
  }
}

function inflateBlock(
  input: Uint8Array,
  start: number,
  output: Uint8Array,
  view: DataView,
  size: number,
): void {
  let from = start;
  let to = 0;
  while (from < input.length) {
    const tag = input[from] ?? 0;
    const tagAt = from++;
    let length = (tag >>> 2) + 1;
    if ((tag & 3) === 0) {
      if (length > 60) {
        const bytes = length - 60;
        length = readLittleEndian(input, from, bytes) + 1;
        from += bytes;
      }
      if (from + length > input.length) fail(tagAt, "a literal goes past the end of the body");
      if (to + length > size) fail(tagAt, `the body is longer than the ${size} bytes it states`);
      if (length <= shortBytes)
        for (let i = 0; i < length; i++) output[to + i] = input[from + i] ?? 0;
      else output.set(input.subarray(from, from + length), to);
      from += length;
      to += length;
      continue;
    }
    let offset: number;
    if ((tag & 3) === 1) {
      length = ((tag >>> 2) & 7) + 4;
      offset = ((tag >>> 5) << 8) | readLittleEndian(input, from, 1);
      from += 1;
    } else if ((tag & 3) === 2 && from + 2 <= input.length) {
      offset = (input[from] ?? 0) | ((input[from + 1] ?? 0) << 8);
      from += 2;
    } else {
      const bytes = (tag & 3) === 2 ? 2 : 4;
      offset = readLittleEndian(input, from, bytes);
      from += bytes;
    }
    if (offset === 0 || offset > to) fail(tagAt, "a copy reaches before the start");
    if (to + length > size) fail(tagAt, `the body is longer than the ${size} bytes it states`);
    const end = to + length;
    // Four bytes at a time do what byte by byte does when the source lies so far behind.
    if (offset >= 4)
      for (; to + 4 <= end; to += 4) view.setUint32(to, view.getUint32(to - offset, true), true);
    // Source and target may overlap, and then repeat.
    for (; to < end; to++) output[to] = output[to - offset] ?? 0;
  }
  if (to !== size) fail(from, `the body ends after ${to} of the ${size} bytes it states`);
}

function readSize(input: Uint8Array, sizeMax: number): { size: number; start: number } {
  let size = 0;
  for (let i = 0; i < 5; i++) {
    const byte = input[i];
    if (byte === undefined) fail(i, "the body ends within its length");
    size += (byte & 0x7f) * 2 ** (7 * i);
    if (byte >= 0x80) continue;
    if (size > sizeMax)
      throw new IngestError(
        "too-large",
        `the body inflates to ${size} bytes, ${sizeMax} are allowed`,
      );
    return { size, start: i + 1 };
  }
  return fail(0, "the length is longer than five bytes");
}

function readLittleEndian(input: Uint8Array, at: number, bytes: number): number {
  if (at + bytes > input.length) fail(at, "the body ends within a tag");
  let value = 0;
  for (let i = 0; i < bytes; i++) value += (input[at + i] ?? 0) * 2 ** (8 * i);
  return value;
}
