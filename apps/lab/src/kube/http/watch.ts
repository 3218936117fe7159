import { randomInt } from "node:crypto";
import type { JsonObject } from "../json.ts";
import type { KubeObject } from "../object.ts";
import { StatusError } from "../status-error.ts";
import type { Change } from "../storage.ts";
import { partialMetadata, tableOf } from "../tables/table.ts";
import { type Exchange, flag, integer, shapeOf } from "./exchange.ts";
import { filterOf, includeObjectOf, passes } from "./read.ts";
import type { Target } from "./target.ts";
import { toVersion } from "./versions.ts";

/**
 * Watches: a chunked stream of JSON events from a resourceVersion on, with bookmarks, until the client leaves, its time
 * is over, or it reads too slowly.
 */
const bookmarkEveryMs = 60_000;
const unreadBytesMax = 16 * 1024 * 1024;
const defaultTimeoutSeconds = [1800, 3600] as const;

export function watchObjects(exchange: Exchange, target: Target): void {
  const { response, store, clock, url } = exchange;
  const query = url.searchParams;
  const filter = filterOf(exchange, target);
  const send = eventWriter(exchange, target);
  const { kind } = target.kind;
  const asked = query.get("resourceVersion") ?? "";
  const initialEvents = flag(query, "sendInitialEvents");
  const fromNow = asked === "" || asked === "0" || initialEvents;

  response.writeHead(200, {
    "content-type": "application/json",
    "cache-control": "no-cache, private",
  });
  response.flushHeaders();

  const stops: (() => void)[] = [];
  const end = () => {
    for (const stop of stops.splice(0)) stop();
    if (!response.writableEnded) response.end();
  };
  const onChange = (change: Change) => {
    if (response.writableEnded) return;
    const event = selected(change, (object) => passes(filter, object));
    if (event !== undefined) send(event.type, event.object);
    if (response.writableLength > unreadBytesMax) end();
  };

  const revision = store.storage.revision;
  if (fromNow) {
    for (const object of store.list(kind)) if (passes(filter, object)) send("ADDED", object);
    if (initialEvents && flag(query, "allowWatchBookmarks")) {
      const annotations = { "k8s.io/initial-events-end": "true" };
      send("BOOKMARK", bookmark(target, revision, annotations));
    }
  }
  try {
    stops.push(store.storage.subscribe(kind, fromNow ? revision : Number(asked), onChange));
  } catch (error) {
    if (!(error instanceof StatusError)) throw error;
    response.end(`${JSON.stringify({ type: "ERROR", object: error.toStatus() })}\n`);
    return;
  }

  const timeoutSeconds = integer(query, "timeoutSeconds") ?? randomInt(...defaultTimeoutSeconds);
  stops.push(clock.after(timeoutSeconds * 1000, end));
  if (flag(query, "allowWatchBookmarks")) {
    const beat = () => {
      send("BOOKMARK", bookmark(target, store.storage.revision));
      stops.push(clock.after(bookmarkEveryMs, beat));
    };
    stops.push(clock.after(bookmarkEveryMs, beat));
  }
  response.on("close", end);
}

/** What a change means to a watch that sees only some objects. */
function selected(
  { type, object, previous }: Change,
  wanted: (object: KubeObject) => boolean,
): { type: Change["type"]; object: KubeObject } | undefined {
  const is = type !== "DELETED" && wanted(object);
  const was = previous !== undefined && wanted(previous);
  if (is && was) return { type: "MODIFIED", object };
  if (is) return { type: "ADDED", object };
  if (!was) return undefined;
  // Leaving the selection shows the state that still matched, at the revision of the change.
  const resourceVersion = object.metadata.resourceVersion ?? "";
  const last = type === "DELETED" ? object : previous;
  return { type: "DELETED", object: { ...last, metadata: { ...last.metadata, resourceVersion } } };
}

function bookmark(
  { kind, apiVersion }: Target,
  revision: number,
  annotations?: { [key: string]: string },
): KubeObject {
  return {
    apiVersion,
    kind: kind.kind,
    metadata: {
      name: "",
      resourceVersion: String(revision),
      ...(annotations === undefined ? {} : { annotations }),
    },
  };
}

function eventWriter(
  exchange: Exchange,
  target: Target,
): (type: Change["type"] | "BOOKMARK", object: KubeObject) => void {
  const { response, clock } = exchange;
  const shape = shapeOf(exchange);
  const includeObject = includeObjectOf(exchange);
  const shown = (object: KubeObject) => toVersion(target.kind, target.version, object);
  let withColumns = true;
  const form = (type: string, object: KubeObject): JsonObject => {
    if (shape === "metadata") return partialMetadata(object);
    if (shape === "object") return shown(object);
    const metadata = { resourceVersion: object.metadata.resourceVersion ?? "" };
    const rows = type === "BOOKMARK" ? [] : [object];
    const options = { includeObject, withColumns, metadata, nowMs: clock.nowMs() };
    withColumns = false;
    return tableOf(target.kind, rows, shown, options);
  };
  return (type, object) => {
    response.write(`${JSON.stringify({ type, object: form(type, object) })}\n`);
  };
}
