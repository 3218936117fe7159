import type { LiveEvent } from "@skopos/api";

/** A query's key, or its beginning: everything that begins so is meant. */
type Key = readonly unknown[];

/** The queries that an event makes stale. */
export function staleKeys(event: LiveEvent): readonly Key[] {
  switch (event.topic) {
    case "graph":
      return [["graph", {}], ["now"], ["service"]];
    case "incidents":
      return [["incidents"], ["now"], ["incident"]];
    case "incident":
      return event.id === undefined
        ? [["incident"], ["incidents"]]
        : [["incident", event.id], ["incidents"]];
    case "alerts":
      return [["alerts"]];
    case "changes":
      return [["changes"], ["service"]];
    case "status":
      return [["status"]];
    default:
      return [["practice"]];
  }
}
