import type { IncomingMessage, ServerResponse } from "node:http";
import type { Clock } from "@skopos/model";
import type { JsonObject } from "../json.ts";
import type { NodeAgent } from "../node-agent.ts";
import type { FieldValidation } from "../decoding.ts";
import { badRequest, invalid, notSupported, StatusError } from "../status-error.ts";
import type { KubeStore, WriteOptions } from "../store.ts";

/** One request being answered, and what every answer needs. */
export type Exchange = {
  request: IncomingMessage;
  response: ServerResponse;
  url: URL;
  store: KubeStore;
  clock: Clock;
  nodeAgent: NodeAgent | undefined;
  /** Warnings for the client, sent as `Warning: 299` headers. */
  warnings: string[];
};

const warningsMax = 20;

export function sendJson(exchange: Exchange, httpStatus: number, body: JsonObject): void {
  const { response } = exchange;
  const text = `${JSON.stringify(body)}\n`;
  const warnings = exchange.warnings.slice(0, warningsMax).map((warning) => {
    return `299 - ${JSON.stringify(warning.replace(/[\r\n]/g, " "))}`;
  });
  if (warnings.length > 0) response.setHeader("warning", warnings);
  response.writeHead(httpStatus, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(text),
    "cache-control": "no-cache, private",
  });
  response.end(text);
}

export type Shape = "object" | "table" | "metadata";

/** Which form the client asked for: the object, a Table, or metadata only. JSON is all this server speaks. */
export function shapeOf(exchange: Exchange): Shape {
  const accept = exchange.request.headers.accept ?? "*/*";
  for (const choice of accept.split(",")) {
    const [type = "", ...rest] = choice.split(";").map((part) => part.trim());
    const parameters = new Map(rest.map((part) => part.split("=", 2) as [string, string]));
    const as = parameters.get("as");
    if (!["application/json", "application/*", "*/*"].includes(type)) continue;
    if (as === undefined) return "object";
    if (as === "Table") return "table";
    if (as.startsWith("PartialObjectMetadata")) return "metadata";
  }
  const message = "only the following media types are accepted: application/json";
  throw new StatusError(406, "NotAcceptable", message);
}

export function flag(query: URLSearchParams, name: string): boolean {
  const value = query.get(name);
  return value !== null && value !== "false" && value !== "0";
}

/** A whole number from the query, or undefined when absent. */
export function integer(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null || text === "") return undefined;
  const value = Number(text);
  if (Number.isInteger(value) && value >= 0) return value;
  throw badRequest(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
}

export function isDryRun(values: readonly string[], options: string): boolean {
  const wrong = values.find((value) => value !== "All");
  if (wrong !== undefined) {
    const subject = { group: "meta.k8s.io", kind: options, plural: options };
    throw invalid(subject, "", [notSupported("dryRun", wrong, ["All"])]);
  }
  return values.length > 0;
}

/** The manager a write is accounted to: `fieldManager`, or the client's name from its User-Agent. */
function managerOf({ request, url }: Exchange): string {
  const named = url.searchParams.get("fieldManager");
  if (named !== null && named !== "") return named.slice(0, 128);
  const agent = (request.headers["user-agent"] ?? "").split("/")[0]?.trim() ?? "";
  return agent === "" ? "unknown" : agent.slice(0, 128);
}

export function writeOptionsOf(exchange: Exchange, options: string): WriteOptions {
  const query = exchange.url.searchParams;
  return {
    dryRun: isDryRun(query.getAll("dryRun"), options),
    fieldManager: managerOf(exchange),
    fieldValidation: fieldValidationOf(query, options),
    onWarning: (text) => exchange.warnings.push(text),
  };
}

function fieldValidationOf(query: URLSearchParams, options: string): FieldValidation {
  const value = query.get("fieldValidation") ?? "";
  if (value === "" || value === "Warn") return "Warn";
  if (value === "Strict" || value === "Ignore") return value;
  const subject = { group: "meta.k8s.io", kind: options, plural: options };
  const known = ["Ignore", "Warn", "Strict"];
  throw invalid(subject, "", [notSupported("fieldValidation", value, known)]);
}
