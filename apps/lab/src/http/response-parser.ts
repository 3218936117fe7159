/**
 * An incremental parser of HTTP/1.1 responses (RFC 9112): status line, headers, and a body by Content-Length, chunked
 * coding or the end of the connection. One response at a time; interim (1xx) responses are skipped. Limits: 64 KiB of
 * head, `bodyBytesMax` of body.
 */
import { bodyBytesMax, headerOf, type Headers, type HttpResponse, noBody } from "./message.ts";

const headBytesMax = 64 * 1024;

class ResponseSyntaxError extends Error {}

interface Head {
  status: number;
  headers: Headers;
  keepAlive: boolean;
}

type BodyPlan = { kind: "length"; bytes: number } | { kind: "chunked" } | { kind: "until-close" };

export interface ParsedResponse extends HttpResponse {
  /** False when the connection must not be used again. */
  readonly keepAlive: boolean;
}

export class ResponseParser {
  #pending: Buffer = noBody;
  #head: Head | undefined;
  #plan: BodyPlan | undefined;
  #chunks: Buffer[] = [];
  #bodyBytes = 0;
  #method = "GET";

  /** Starts on the response to a request with `method`. */
  expect(method: string): void {
    this.#method = method;
    this.#head = undefined;
    this.#plan = undefined;
    this.#chunks = [];
    this.#bodyBytes = 0;
  }

  get started(): boolean {
    return this.#head !== undefined || this.#pending.length > 0;
  }

  /** Takes bytes; returns the response once it is complete. Throws `ResponseSyntaxError`. */
  push(bytes: Buffer): ParsedResponse | undefined {
    this.#pending = this.#pending.length === 0 ? bytes : Buffer.concat([this.#pending, bytes]);
    while (this.#head === undefined) {
      if (!this.#readHead()) return undefined;
    }
    return this.#readBody() ? this.#finish(this.#head) : undefined;
  }

  /** The connection ended: completes a body that lasts until then; undefined when the response is cut short. */
  end(): ParsedResponse | undefined {
    if (this.#head !== undefined && this.#plan?.kind === "until-close") {
      return this.#finish({ ...this.#head, keepAlive: false });
    }
    return undefined;
  }

  #readHead(): boolean {
    const end = this.#pending.indexOf("\r\n\r\n");
    if (end < 0) {
      if (this.#pending.length > headBytesMax) throw new ResponseSyntaxError("head too large");
      return false;
    }
    const head = parseHead(this.#pending.toString("latin1", 0, end));
    this.#pending = this.#pending.subarray(end + 4);
    if (head.status >= 100 && head.status < 200) return this.#pending.length > 0;
    this.#head = head;
    this.#plan = planBody(head, this.#method);
    return true;
  }

  /** True when the body is complete. */
  #readBody(): boolean {
    const plan = this.#plan;
    if (plan === undefined) return false;
    if (plan.kind === "chunked") return this.#readChunks();
    const wanted = plan.kind === "length" ? plan.bytes - this.#bodyBytes : this.#pending.length;
    this.#take(Math.min(wanted, this.#pending.length));
    return plan.kind === "length" && this.#bodyBytes === plan.bytes;
  }

  #readChunks(): boolean {
    for (;;) {
      const lineEnd = this.#pending.indexOf("\r\n");
      if (lineEnd < 0) return false;
      const size = Number.parseInt(this.#pending.toString("latin1", 0, lineEnd), 16);
      if (!Number.isInteger(size) || size < 0) throw new ResponseSyntaxError("bad chunk size");
      const start = lineEnd + 2;
      if (size === 0) {
        // Trailers, of which proxies here keep none, end with an empty line.
        const trailersEnd = this.#pending.indexOf("\r\n\r\n", lineEnd);
        if (trailersEnd < 0) return false;
        this.#pending = this.#pending.subarray(trailersEnd + 4);
        return true;
      }
      if (this.#pending.length < start + size + 2) return false;
      this.#pending = this.#pending.subarray(start);
      this.#take(size);
      this.#pending = this.#pending.subarray(2);
    }
  }

  #take(bytes: number): void {
    if (bytes === 0) return;
    this.#bodyBytes += bytes;
    if (this.#bodyBytes > bodyBytesMax) throw new ResponseSyntaxError("body too large");
    this.#chunks.push(this.#pending.subarray(0, bytes));
    this.#pending = this.#pending.subarray(bytes);
  }

  #finish(head: Head): ParsedResponse {
    const first = this.#chunks[0];
    const body = first === undefined ? noBody : Buffer.concat(this.#chunks);
    // Bytes nobody asked for: the peer and this side no longer agree on where messages begin.
    const keepAlive = head.keepAlive && this.#pending.length === 0;
    this.#head = undefined;
    this.#plan = undefined;
    return { status: head.status, headers: head.headers, body, keepAlive };
  }
}

function parseHead(text: string): Head {
  const lines = text.split("\r\n");
  const match = /^HTTP\/1\.([01]) (\d{3})/.exec(lines[0] ?? "");
  if (match === null) throw new ResponseSyntaxError("bad status line");
  const headers: Headers = [];
  for (let i = 1; i < lines.length; i++) {
    const line = lines[i] ?? "";
    const colon = line.indexOf(":");
    if (colon <= 0) throw new ResponseSyntaxError("bad header line");
    headers.push(line.slice(0, colon), line.slice(colon + 1).trim());
  }
  const connection = headerOf(headers, "connection")?.toLowerCase();
  const keepAlive = match[1] === "1" ? connection !== "close" : connection === "keep-alive";
  return { status: Number(match[2]), headers, keepAlive };
}

function planBody(head: Head, method: string): BodyPlan {
  if (method === "HEAD" || head.status === 204 || head.status === 304) {
    return { kind: "length", bytes: 0 };
  }
  if (headerOf(head.headers, "transfer-encoding")?.toLowerCase().endsWith("chunked") === true) {
    return { kind: "chunked" };
  }
  const length = headerOf(head.headers, "content-length");
  if (length === undefined) return { kind: "until-close" };
  if (!/^\d+$/.test(length)) throw new ResponseSyntaxError("bad content-length");
  return { kind: "length", bytes: Number(length) };
}
