/** The one client, for the embedded child and for a cluster alike. */
import { type ClickHouseClient, ClickHouseError, createClient } from "@clickhouse/client";
import { CancelledError, LimitError, messageOf, SkoposError } from "@skopos/model";

/** Plain data: it crosses threads. */
export interface ClickHouseConnection {
  /** http(s)://host:port */
  readonly url: string;
  readonly username: string;
  readonly password: string;
  readonly database: string;
}

export interface ClickHouseClientOptions extends ClickHouseConnection {
  readonly requestMsMax?: number;
  readonly connectionsMax?: number;
}

export function openClickHouse(options: ClickHouseClientOptions): ClickHouseClient {
  const { url, username, password, database } = options;
  return createClient({
    url,
    username,
    password,
    database,
    application: "skopos",
    request_timeout: options.requestMsMax ?? 60_000,
    max_open_connections: options.connectionsMax ?? 16,
    compression: { request: false, response: false },
    keep_alive: { enabled: true, idle_socket_ttl: 2500 },
    log: { level: 127 },
  });
}

/** Codes of ClickHouse that mean a limit of the query was reached: rows, bytes, time, memory, result. */
const limitCodes = new Set(["158", "159", "160", "241", "307", "396"]);
/** Codes that mean the query itself is at fault: syntax, regular expression, argument. */
const queryCodes = new Set(["36", "43", "53", "62", "427"]);

/** Whatever the client throws, as an error of the readers: "cancelled", "limit", "bad-query", "unavailable". */
export function readError(error: unknown, signal?: AbortSignal): SkoposError {
  if (error instanceof SkoposError) return error;
  if (signal?.aborted) return new CancelledError();
  const message = messageOf(error);
  if (error instanceof ClickHouseError) {
    if (error.code === "394") return new CancelledError("the query was stopped");
    if (limitCodes.has(error.code)) return new LimitError(message, { cause: error });
    if (queryCodes.has(error.code)) return new SkoposError("bad-query", message, { cause: error });
  }
  return new SkoposError("unavailable", `ClickHouse: ${message}`, { cause: error });
}
