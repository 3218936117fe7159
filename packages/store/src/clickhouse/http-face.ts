/**
 * ClickHouse's HTTP interface over the embedded engine, as wide as `@clickhouse/client` needs it: POST and GET with the
 * query in the body or in `?query=`, `param_*`, settings as URL parameters, `X-ClickHouse-*` headers, errors as text
 * with their code and status. Source: ClickHouse docs, "HTTP interface".
 * Only who knows the password may speak.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { messageOf, SkoposError } from "@skopos/model";
import type { Engine } from "./engine.ts";

const bodyBytesMax = 256 * 1024 * 1024;
const headerBytesMax = 1024 * 1024;

/** URL parameters that are the transport's, not settings of the query. */
const transport = new Set([
  "query",
  "query_id",
  "database",
  "default_format",
  "session_id",
  "session_timeout",
  "session_check",
  "role",
  "user",
  "password",
  "quota_key",
  "compress",
  "decompress",
  "enable_http_compression",
  "http_zlib_compression_level",
  "wait_end_of_query",
  "buffer_size",
  "stacktrace",
  "close_session",
  "cancel_http_readonly_queries_on_client_close",
]);
const transportPrefixes = ["param_", "send_progress_", "http_", "add_http_"];

/** Exception codes whose status is not 500; the rest is the server's fault, as ClickHouse has it. */
const statusOfCode = new Map([
  [62, 400],
  [26, 400],
  [27, 400],
  [36, 400],
  [46, 400],
  [47, 400],
  [53, 400],
  [117, 400],
  [456, 400],
  [60, 404],
  [81, 404],
  [193, 401],
  [516, 403],
  [202, 503],
  [159, 408],
]);

interface Fault {
  readonly code: number;
  readonly text: string;
}

function faultOf(error: unknown): Fault {
  const message = messageOf(error);
  const code = /Code: (\d+)\./.exec(message)?.[1];
  if (code !== undefined) return { code: Number(code), text: message };
  const wrap = (number: number, name: string) => ({
    code: number,
    text: `Code: ${number}. DB::Exception: ${message}. (${name})`,
  });
  if (error instanceof SkoposError && error.code === "bad-query") return wrap(36, "BAD_ARGUMENTS");
  if (error instanceof SkoposError && error.code === "overloaded")
    return wrap(202, "TOO_MANY_SIMULTANEOUS_QUERIES");
  if (error instanceof SkoposError && error.code === "cancelled")
    return wrap(394, "QUERY_WAS_CANCELLED");
  return wrap(1002, "UNKNOWN_EXCEPTION");
}

function sendFault(response: ServerResponse, { code, text }: Fault, status?: number): void {
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  response.writeHead(status ?? statusOfCode.get(code) ?? 500, {
    "Content-Type": "text/plain; charset=UTF-8",
    "X-ClickHouse-Exception-Code": String(code),
  });
  response.end(`${text}\n`);
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  let sizeBytes = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    sizeBytes += part.length;
    if (sizeBytes > bodyBytesMax)
      throw new SkoposError("bad-query", `a body of more than ${bodyBytesMax} bytes`);
    parts.push(part);
  }
  return parts.length === 1 && parts[0] ? parts[0] : Buffer.concat(parts);
}

function settingsOf(search: URLSearchParams): Map<string, string> {
  const settings = new Map<string, string>();
  for (const [name, value] of search) {
    if (transport.has(name) || transportPrefixes.some((prefix) => name.startsWith(prefix)))
      continue;
    settings.set(name, value);
  }
  return settings;
}

function parametersOf(search: URLSearchParams): Map<string, string> {
  const parameters = new Map<string, string>();
  for (const [name, value] of search)
    if (name.startsWith("param_")) parameters.set(name.slice("param_".length), value);
  return parameters;
}

const digest = (text: string) => createHash("sha256").update(text).digest();

export interface HttpFaceOptions {
  readonly engine: Engine;
  readonly user: string;
  readonly password: string;
}

async function answer(
  engine: Engine,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = new URL(request.url ?? "/", "http://engine");
  if (url.pathname === "/ping") {
    await engine.ping();
    response.end("Ok.\n");
    return;
  }
  const gone = new AbortController();
  response.once("close", () => {
    if (!response.writableFinished) gone.abort();
  });
  const body = await readBody(request);
  const inUrl = url.searchParams.get("query");
  const queryId = url.searchParams.get("query_id") ?? "";
  const format = url.searchParams.get("default_format") ?? "TabSeparated";
  const result = await engine.run({
    query: inUrl ?? body.toString("utf8"),
    body: inUrl === null ? Buffer.alloc(0) : body,
    parameters: parametersOf(url.searchParams),
    settings: settingsOf(url.searchParams),
    database: url.searchParams.get("database") ?? "default",
    format,
    signal: gone.signal,
  });
  response.writeHead(200, {
    "Content-Type": "text/plain; charset=UTF-8",
    "X-ClickHouse-Query-Id": queryId,
    "X-ClickHouse-Format": format,
    "X-ClickHouse-Summary": JSON.stringify({
      read_rows: String(result.readRows),
      read_bytes: String(result.readBytes),
      written_bytes: "0",
      total_rows_to_read: "0",
      result_rows: "0",
      result_bytes: String(result.bytes.length),
      elapsed_ns: "0",
    }),
  });
  response.end(result.bytes);
}

/** A server that is not listening yet. */
export function createHttpFace({ engine, user, password }: HttpFaceOptions): Server {
  const expected = digest(`Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`);
  return createServer({ maxHeaderSize: headerBytesMax }, (request, response) => {
    if (!timingSafeEqual(digest(request.headers.authorization ?? ""), expected)) {
      const text = "Code: 516. DB::Exception: Authentication failed. (AUTHENTICATION_FAILED)";
      sendFault(response, { code: 516, text });
      return;
    }
    answer(engine, request, response).catch((error: unknown) =>
      sendFault(response, faultOf(error)),
    );
  });
}
