/** Compresses into Snappy's block format: greedy matches of four bytes and more within blocks of 64 KiB, as golang/snappy does. */
import { Buffer } from "node:buffer";

const blockBytes = 65_536;
const tableBits = 14;
const table = new Uint16Array(2 ** tableBits);

export function compressSnappy(input: Buffer): Buffer {
  const output = Buffer.allocUnsafe(32 + input.length + Math.ceil(input.length / 6));
  let to = 0;
  for (let rest = input.length; ; rest >>>= 7) {
    output[to++] = rest < 128 ? rest : (rest & 127) | 128;
    if (rest < 128) break;
  }
  for (let from = 0; from < input.length; from += blockBytes)
    to = compressBlock(input, from, Math.min(input.length, from + blockBytes), output, to);
  return output.subarray(0, to);
}

function compressBlock(input: Buffer, from: number, end: number, output: Buffer, at: number) {
  table.fill(0);
  let to = at;
  let literal = from;
  let position = from + 1;
  while (position + 4 <= end) {
    const word = input.readUInt32LE(position);
    const slot = Math.imul(word, 0x1e35a7bd) >>> (32 - tableBits);
    const candidate = from + (table[slot] ?? 0);
    table[slot] = position - from;
    if (candidate >= position || input.readUInt32LE(candidate) !== word) {
      position++;
      continue;
    }
    to = writeLiteral(input, literal, position, output, to);
    let length = 4;
    while (position + length < end && input[candidate + length] === input[position + length])
      length++;
    to = writeCopy(position - candidate, length, output, to);
    position += length;
    literal = position;
  }
  return writeLiteral(input, literal, end, output, to);
}

function writeLiteral(input: Buffer, from: number, end: number, output: Buffer, at: number) {
  const length = end - from;
  if (length === 0) return at;
  let to = at;
  if (length <= 60) output[to++] = (length - 1) << 2;
  else {
    output[to++] = 61 << 2;
    output.writeUInt16LE(length - 1, to);
    to += 2;
  }
  input.copy(output, to, from, end);
  return to + length;
}

function writeCopy(offset: number, length: number, output: Buffer, at: number): number {
  let to = at;
  for (let rest = length; rest > 0;) {
    const part = Math.min(64, rest);
    output[to++] = ((part - 1) << 2) | 2;
    output.writeUInt16LE(offset, to);
    to += 2;
    rest -= part;
  }
  return to;
}
