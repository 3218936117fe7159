/**
 * HTTP/1.1 messages as proxies see them: headers as one flat list [name, value, name, value …] in the order and case
 * they came (the form of Node's `rawHeaders`), bodies whole. Bodies are bounded by `bodyBytesMax`.
 */
import type { IncomingMessage } from "node:http";
import { LimitError } from "@skopos/model";

export type Headers = string[];

export interface HttpRequest {
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  readonly headers: Headers;
  readonly body: Buffer;
}

export interface HttpResponse {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Buffer;
}

export const bodyBytesMax = 1024 * 1024;
export const noBody = Buffer.alloc(0);

export function headerOf(headers: Headers, name: string): string | undefined {
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const candidate = headers[i];
    if (candidate !== undefined && candidate.length === name.length) {
      if (candidate === name || candidate.toLowerCase() === name) return headers[i + 1];
    }
  }
  return undefined;
}

/** Copies `headers` without those named in `dropped` (lower case). */
export function withoutHeaders(headers: Headers, dropped: ReadonlySet<string>): Headers {
  const kept: Headers = [];
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = headers[i] ?? "";
    if (!dropped.has(name.toLowerCase())) kept.push(name, headers[i + 1] ?? "");
  }
  return kept;
}

/** Headers that concern one connection only (RFC 9110 §7.6.1), and the length, which each hop states itself. */
export const hopHeaders: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "proxy-authenticate",
  "proxy-authorization",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "content-length",
]);

/** Approximate bytes of a head on the wire, as Envoy counts request and response sizes: headers and body. */
export function headerBytes(headers: Headers): number {
  let bytes = 0;
  for (const part of headers) bytes += part.length + 2;
  return bytes;
}

/** Reads the whole body. Rejects with `LimitError` beyond `bodyBytesMax`, with the stream's error when it breaks off. */
export function readBody(message: IncomingMessage): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    message.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size > bodyBytesMax) {
        message.pause();
        reject(new LimitError(`the body is larger than ${bodyBytesMax} bytes`));
        return;
      }
      chunks.push(chunk);
    });
    message.once("end", () => {
      const only = chunks[0];
      resolve(only === undefined ? noBody : chunks.length === 1 ? only : Buffer.concat(chunks));
    });
    message.once("error", reject);
    message.once("close", () => reject(new Error("the request broke off")));
  });
}

export function jsonBody(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}
