/**
 * Gzip (RFC 1952) of at most some hundred kilobytes, inflated at once into memory that is used again. Node's `gunzipSync`
 * takes new memory for every body and every stream's state: in a thread that inflates some hundred pages of metrics a second
 * that is tens of megabytes, for which the collector looks at the whole heap again and again.
 *
 * Members may follow one another, and zeros the last, as in Node. What ends early, is followed by anything else, or has
 * another length or checksum than it says is "bad-gzip".
 */
import { crc32 } from "node:zlib";
import { badGzip, Inflater, type InflateTarget } from "./inflate.ts";

const headerBytes = 10;
const trailerBytes = 8;
const flag = { headerChecksum: 2, extra: 4, name: 8, comment: 16, reserved: 0xe0 } as const;

const inflater = new Inflater();

/** Returns how many bytes `target` then has. Throws "bad-gzip", and what the target throws. */
export function gunzip(source: Buffer, target: InflateTarget): number {
  let at = 0;
  let size = 0;
  do {
    const begin = size;
    at = inflater.inflate(source, endOfHeader(source, at), target, begin);
    size = inflater.size;
    if (at + trailerBytes > source.length) throw badGzip("it ends early");
    if (source.readUInt32LE(at) !== crc32(target.reserve(size).subarray(begin, size)))
      throw badGzip("its checksum is another");
    if (source.readUInt32LE(at + 4) !== (size - begin) >>> 0)
      throw badGzip("its length is another");
    at += trailerBytes;
  } while (at < source.length && source[at] !== 0);
  return size;
}

/** Of a member that begins at `begin`: where its stream does. */
function endOfHeader(source: Buffer, begin: number): number {
  const isGzip = source[begin] === 0x1f && source[begin + 1] === 0x8b && source[begin + 2] === 8;
  const flags = source[begin + 3] ?? flag.reserved;
  if (!isGzip || (flags & flag.reserved) !== 0) throw badGzip("no header");
  let at = begin + headerBytes;
  if ((flags & flag.extra) !== 0) {
    if (at + 2 > source.length) throw badGzip("it ends early");
    at += 2 + source.readUInt16LE(at);
  }
  if ((flags & flag.name) !== 0) at = afterText(source, at);
  if ((flags & flag.comment) !== 0) at = afterText(source, at);
  if ((flags & flag.headerChecksum) !== 0) {
    if (at + 2 > source.length) throw badGzip("it ends early");
    if (source.readUInt16LE(at) !== (crc32(source.subarray(begin, at)) & 0xffff))
      throw badGzip("its header's checksum is another");
    at += 2;
  }
  if (at > source.length) throw badGzip("it ends early");
  return at;
}

function afterText(source: Buffer, at: number): number {
  const end = source.indexOf(0, at);
  if (end < 0) throw badGzip("it ends early");
  return end + 1;
}
