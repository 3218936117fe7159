/** Writes the few protobuf fields that answers are made of. Source: protobuf.dev/programming-guides/encoding. */

/** A varint field; `value` is a whole number from 0 up. */
export function protobufVarint(field: number, value: number): Buffer {
  return Buffer.from([field << 3, ...varint(value)]);
}

/** A field of bytes, text or a message. */
export function protobufBytes(field: number, payload: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([(field << 3) | 2, ...varint(payload.length)]), payload]);
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80);
  bytes.push(rest);
  return bytes;
}
