/**
 * CRC-32C (Castagnoli, reflected polynomial 0x82F63B78; RFC 3720 appendix B.4), eight bytes a step.
 * Source of the method: Kounavis and Berry, "A systematic approach to building high performance software-based CRC
 * generators" (slicing-by-8).
 */

/** Eight tables of 256 entries, one after the other: entry [k][b] is the checksum of byte b followed by k zero bytes. */
const table = new Int32Array(8 * 256);
for (let byte = 0; byte < 256; byte++) {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  table[byte] = crc;
}
for (let i = 256; i < table.length; i++) {
  const crc = entry(i - 256);
  table[i] = entry(crc & 255) ^ (crc >>> 8);
}

/* Every index below is in range, which the compiler cannot see and a test per byte would cost. */
function entry(index: number): number {
  return table[index] as number;
}
function byteAt(bytes: Uint8Array, index: number): number {
  return bytes[index] as number;
}

/** CRC-32C of `bytes[start, end)`, continuing from `previous` (0 at first). An unsigned 32-bit number. */
export function crc32c(
  bytes: Uint8Array,
  start = 0,
  end: number = bytes.length,
  previous = 0,
): number {
  let crc = ~previous;
  let i = start;
  for (const last = end - 7; i < last; i += 8) {
    crc ^= byteAt(bytes, i) | (byteAt(bytes, i + 1) << 8) | (byteAt(bytes, i + 2) << 16);
    crc ^= byteAt(bytes, i + 3) << 24;
    crc =
      entry(0x700 | (crc & 255)) ^
      entry(0x600 | ((crc >>> 8) & 255)) ^
      entry(0x500 | ((crc >>> 16) & 255)) ^
      entry(0x400 | (crc >>> 24)) ^
      entry(0x300 | byteAt(bytes, i + 4)) ^
      entry(0x200 | byteAt(bytes, i + 5)) ^
      entry(0x100 | byteAt(bytes, i + 6)) ^
      entry(byteAt(bytes, i + 7));
  }
  for (; i < end; i++) crc = entry((crc ^ byteAt(bytes, i)) & 255) ^ (crc >>> 8);
  return ~crc >>> 0;
}
