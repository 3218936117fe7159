/**
 * Snappy's block format, inflated with every bound checked: the stated length against a limit before anything is allocated,
 * each copy against what is there. Source: google/snappy format_description.txt.
 */
import { IngestError } from "../errors.ts";

function fail(at: number, reason: string): never {
  throw new IngestError("bad-snappy", `byte ${at} of the snappy block: ${reason}`);
}

/** Inflates one block. Throws "bad-snappy", or "too-large" when it states more than `sizeMax` bytes. */
export function inflateSnappy(input: Uint8Array, sizeMax: number): Uint8Array {
  const { size, start } = readSize(input);
  if (size > sizeMax)
    throw new IngestError(
      "too-large",
      `the body inflates to ${size} bytes, ${sizeMax} are allowed`,
    );
  const output = new Uint8Array(size);
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
      output.set(input.subarray(from, from + length), to);
      from += length;
      to += length;
      continue;
    }
    let offset: number;
    if ((tag & 3) === 1) {
      length = ((tag >>> 2) & 7) + 4;
      offset = ((tag >>> 5) << 8) | readLittleEndian(input, from, 1);
      from += 1;
    } else {
      const bytes = (tag & 3) === 2 ? 2 : 4;
      offset = readLittleEndian(input, from, bytes);
      from += bytes;
    }
    if (offset === 0 || offset > to) fail(tagAt, "a copy reaches before the start");
    if (to + length > size) fail(tagAt, `the body is longer than the ${size} bytes it states`);
    // Byte by byte: source and target may overlap, and then repeat.
    for (let end = to + length; to < end; to++) output[to] = output[to - offset] ?? 0;
  }
  if (to !== size) fail(from, `the body ends after ${to} of the ${size} bytes it states`);
  return output;
}

function readSize(input: Uint8Array): { size: number; start: number } {
  let size = 0;
  for (let i = 0; i < 5; i++) {
    const byte = input[i];
    if (byte === undefined) fail(i, "the body ends within its length");
    size += (byte & 0x7f) * 2 ** (7 * i);
    if (byte < 0x80) return { size, start: i + 1 };
  }
  return fail(0, "the length is longer than five bytes");
}

function readLittleEndian(input: Uint8Array, at: number, bytes: number): number {
  if (at + bytes > input.length) fail(at, "the body ends within a tag");
  let value = 0;
  for (let i = 0; i < bytes; i++) value += (input[at + i] ?? 0) * 2 ** (8 * i);
  return value;
}
