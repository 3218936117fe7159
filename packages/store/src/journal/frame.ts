/**
 * The frame: what the journal's bytes mean (docs/format/journal.md).
 *
 *   offset  size
 *   0       4     payload length, u32 LE
 *   4       4     CRC-32C of the frame's position (u64 LE), of bytes 8–11 and the length (bytes 0–3), and of the payload
 *   8       1     kind
 *   9       3     zero
 *   12      …     payload
 *
 * The position is part of the checksum but not of the frame, so that bytes at a wrong place never pass for a frame.
 */
import { crc32c } from "@skopos/model";

/** The one table of frame kinds. Readers skip kinds they do not know. */
export const frameKinds = {
  metrics: 1,
  /** Rows as text, of earlier releases; those of `spans` had no attributes of scopes. */
  spans: 2,
  logs: 3,
  event: 4,
  scopedSpans: 5,
  patterns: 6,
  spanBlocks: 7,
  logBlocks: 8,
} as const;

/**
 * How much of the room, in the buffer and on the disk, a kind may help to fill: when it gets scarce, log lines are refused
 * first, then spans; samples, which paging needs, and operational events have all of it.
 */
export function roomShare(kind: number): number {
  switch (kind) {
    case frameKinds.logs:
    case frameKinds.logBlocks:
    case frameKinds.patterns:
      return 0.7;
    case frameKinds.spans:
    case frameKinds.scopedSpans:
    case frameKinds.spanBlocks:
      return 0.85;
    default:
      return 1;
  }
}

export const frameHeaderBytes = 12;
/** No payload is longer. A batch that is must be cut by its sender. */
export const payloadBytesMax = 32 * 1024 * 1024;
const kindMax = 255;

export function isKind(kind: number): boolean {
  return Number.isInteger(kind) && kind >= 1 && kind <= kindMax;
}

const positionBytes = new Uint8Array(8);
const positionView = new DataView(positionBytes.buffer);

function checksum(bytes: Uint8Array, offset: number, length: number, position: number): number {
  positionView.setUint32(0, position >>> 0, true);
  positionView.setUint32(4, Math.floor(position / 2 ** 32), true);
  let crc = crc32c(positionBytes);
  crc = crc32c(bytes, offset, offset + 4, crc);
  return crc32c(bytes, offset + 8, offset + frameHeaderBytes + length, crc);
}

/** Writes a frame to `target` at `offset`, where it will stand at `position` of the journal. */
export function writeFrame(
  target: Buffer,
  offset: number,
  position: number,
  kind: number,
  payload: Uint8Array,
): void {
  target.writeUInt32LE(payload.length, offset);
  target.writeUInt32LE(kind, offset + 8);
  target.set(payload, offset + frameHeaderBytes);
  target.writeUInt32LE(checksum(target, offset, payload.length, position), offset + 4);
}

export interface DecodedFrame {
  readonly kind: number;
  /** A view into the bytes that were decoded. */
  readonly payload: Uint8Array;
  /** Header and payload. */
  readonly sizeBytes: number;
}

/**
 * Reads the frame at `offset` of `bytes`, which stands at `position` of the journal. `needs` is how many bytes from
 * `offset` are missing to tell; "corrupt" when they cannot be a frame.
 */
export function readFrame(
  bytes: Buffer,
  offset: number,
  position: number,
): DecodedFrame | { readonly needs: number } | "corrupt" {
  const available = bytes.length - offset;
  if (available < frameHeaderBytes) return { needs: frameHeaderBytes };
  const length = bytes.readUInt32LE(offset);
  const kind = bytes.readUInt32LE(offset + 8);
  if (!isKind(kind) || length > payloadBytesMax) return "corrupt";
  const sizeBytes = frameHeaderBytes + length;
  if (available < sizeBytes) return { needs: sizeBytes };
  if (bytes.readUInt32LE(offset + 4) !== checksum(bytes, offset, length, position))
    return "corrupt";
  return {
    kind,
    payload: bytes.subarray(offset + frameHeaderBytes, offset + sizeBytes),
    sizeBytes,
  };
}
