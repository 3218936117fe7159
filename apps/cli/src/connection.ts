/** How commands reach a running server: its address and, for what changes something, a token. */
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { type Client, createClient } from "@skopos/api";
import type { Command } from "commander";

export interface ConnectionOptions {
  readonly server: string;
  readonly dataDir: string;
  readonly output: "table" | "json";
}

/** Adds the options that every command talking to a server has. */
export function withConnection(command: Command): Command {
  return command
    .option(
      "--server <url>",
      "address of the running server",
      process.env["SKOPOS_SERVER"] ?? "http://127.0.0.1:7080",
    )
    .option(
      "--data-dir <dir>",
      "where the server keeps its data; its token for this machine is read from there",
      ".skopos",
    )
    .option("-o, --output <format>", "table or json", "table");
}

/** The token: SKOPOS_TOKEN, or the one the server on this machine left for its user. */
function tokenOf(options: ConnectionOptions): string | undefined {
  const named = process.env["SKOPOS_TOKEN"];
  if (named) return named;
  const file = path.join(options.dataDir, "cli-token");
  return existsSync(file) ? readFileSync(file, "utf8").trim() : undefined;
}

export function connect(options: ConnectionOptions): Client {
  const token = tokenOf(options);
  return createClient({
    baseUrl: options.server.replace(/\/$/, ""),
    fetch,
    headers: () => (token === undefined ? {} : { authorization: `Bearer ${token}` }),
  });
}

/** Prints a value as JSON, or as the text that `table` makes of it. */
export function print<Value>(
  options: ConnectionOptions,
  value: Value,
  table: (value: Value) => string,
): void {
  console.log(options.output === "json" ? JSON.stringify(value, null, 2) : table(value));
}
