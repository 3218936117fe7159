/** Checksummed sections, the framing of the head's files: length u32le, CRC-32 u32le, type u8, body. */
import type { FileHandle } from "node:fs/promises";
import { crc32 } from "node:zlib";
import { SkoposError } from "@skopos/model";

const headBytes = 8;
const sectionBytesMax = 2 ** 30;
const readBytes = 4 * 1024 * 1024;

export class SectionWriter {
  readonly #file: FileHandle;
  #pending: Uint8Array[] = [];
  #pendingBytes = 0;
  sizeBytes = 0;

  constructor(file: FileHandle) {
    this.#file = file;
  }

  json(type: number, value: unknown): void {
    this.add(type, [Buffer.from(JSON.stringify(value))]);
  }

  /** Copies the parts. */
  add(type: number, parts: readonly Uint8Array[]): void {
    let length = 1;
    for (const part of parts) length += part.length;
    const section = Buffer.allocUnsafe(headBytes + length);
    section[headBytes] = type;
    let at = headBytes + 1;
    for (const part of parts) {
      section.set(part, at);
      at += part.length;
    }
    section.writeUInt32LE(length, 0);
    section.writeUInt32LE(crc32(section.subarray(headBytes)), 4);
    this.#pending.push(section);
    this.#pendingBytes += section.length;
  }

  /** Writes what waits when that is at least `bytesMin`. */
  async flush(bytesMin: number): Promise<void> {
    if (this.#pendingBytes < bytesMin || this.#pending.length === 0) return;
    const pending = this.#pending;
    this.sizeBytes += this.#pendingBytes;
    this.#pending = [];
    this.#pendingBytes = 0;
    const bytes = Buffer.concat(pending);
    for (let at = 0; at < bytes.length;)
      at += (await this.#file.write(bytes, at, bytes.length - at)).bytesWritten;
  }
}

export interface Section {
  readonly type: number;
  /** A view, valid until the next section is read. */
  readonly body: Buffer;
}

export class SectionReader {
  readonly #file: FileHandle;
  readonly #path: string;
  #buffer = Buffer.allocUnsafe(readBytes);
  #at = 0;
  #end = 0;

  constructor(file: FileHandle, path: string) {
    this.#file = file;
    this.#path = path;
  }

  /** Throws `bad-snapshot` at the end of the file too: a whole one has a section that says it is the last. */
  async next(): Promise<Section> {
    if (!(await this.#fill(headBytes))) throw this.bad("its end is missing");
    const length = this.#buffer.readUInt32LE(this.#at);
    const sum = this.#buffer.readUInt32LE(this.#at + 4);
    if (length === 0 || length > sectionBytesMax) throw this.bad("a section is damaged");
    if (!(await this.#fill(headBytes + length))) throw this.bad("a section is cut short");
    const payload = this.#buffer.subarray(this.#at + headBytes, this.#at + headBytes + length);
    if (crc32(payload) !== sum) throw this.bad("a checksum does not match");
    this.#at += headBytes + length;
    return { type: payload[0] ?? 0, body: payload.subarray(1) };
  }

  bad(what: string): SkoposError {
    return new SkoposError("bad-snapshot", `${this.#path}: ${what}`);
  }

  /** Makes `needed` bytes available; false at the end of the file. */
  async #fill(needed: number): Promise<boolean> {
    if (this.#end - this.#at >= needed) return true;
    const rest = this.#buffer.subarray(this.#at, this.#end);
    const target = needed > this.#buffer.length ? Buffer.allocUnsafe(needed) : this.#buffer;
    target.set(rest, 0);
    this.#buffer = target;
    this.#at = 0;
    this.#end = rest.length;
    while (this.#end < needed) {
      const room = target.length - this.#end;
      const { bytesRead } = await this.#file.read(target, this.#end, room, null);
      if (bytesRead === 0) return false;
      this.#end += bytesRead;
    }
    return true;
  }
}
