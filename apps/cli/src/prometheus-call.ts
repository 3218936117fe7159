/** Calls of the Prometheus API of a running server. */
import { SkoposError } from "@skopos/model";
import type { ConnectionOptions } from "./connection.ts";

interface Answer<Data> {
  readonly status: "success" | "error";
  readonly error?: string;
  readonly data?: Data;
  readonly warnings?: readonly string[];
  readonly infos?: readonly string[];
}

/** `path` below `/api/v1/`. Warnings go to standard error. Throws "unreachable" and "bad-query". */
export async function callPrometheus<Data>(
  options: ConnectionOptions,
  path: string,
  parameters: URLSearchParams = new URLSearchParams(),
  method: "GET" | "POST" = "GET",
): Promise<Data> {
  const base = `${options.server.replace(/\/$/, "")}/api/v1/${path}`;
  const url = method === "GET" && parameters.size > 0 ? `${base}?${parameters.toString()}` : base;
  const body = method === "POST" ? { body: parameters } : {};
  const response = await fetch(url, { method, ...body }).catch((cause: unknown) => {
    throw new SkoposError("unreachable", `no answer from ${options.server}: is skopos running?`, {
      cause,
    });
  });
  const answer = (await response.json()) as Answer<Data>;
  if (answer.status !== "success" || answer.data === undefined)
    throw new SkoposError("bad-query", answer.error ?? `the server answered ${response.status}`);
  for (const warning of answer.warnings ?? []) console.error(`warning: ${warning}`);
  for (const info of answer.infos ?? []) console.error(`info: ${info}`);
  return answer.data;
}

/** `name{label="value"}` of a label map. */
export function seriesName(metric: Readonly<Record<string, string>>): string {
  const { __name__: name = "", ...labels } = metric;
  const body = Object.entries(labels).map(([key, value]) => `${key}=${JSON.stringify(value)}`);
  return body.length === 0 && name ? name : `${name}{${body.join(", ")}}`;
}
