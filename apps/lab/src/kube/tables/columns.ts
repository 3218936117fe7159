import { type Json, type JsonObject, textOf, valueAt } from "../json.ts";
import type { KubeObject } from "../object.ts";
import { humanDuration } from "./human-duration.ts";

/** One column of a `meta.k8s.io/v1` Table. Priority 0 is always shown, 1 with `-o wide`. */
export type Column = {
  name: string;
  type: "string" | "integer" | "date";
  format: "" | "name";
  priority: 0 | 1;
  description: string;
  value: (object: KubeObject, nowMs: number) => Json;
};

export function column(
  name: string,
  value: (object: KubeObject, nowMs: number) => Json,
  type: Column["type"] = "string",
): Column {
  return { name, type, format: "", priority: 0, description: "", value };
}

export function wide(name: string, value: (object: KubeObject, nowMs: number) => Json): Column {
  return { ...column(name, value), priority: 1 };
}

export const nameColumn: Column = {
  ...column("Name", (object) => object.metadata.name),
  format: "name",
  description:
    "Name must be unique within a namespace. Is required when creating resources, although some resources may allow a client to request the generation of an appropriate name automatically.",
};

/** How long ago `time` was, as kubectl writes it. */
export function since(time: Json | undefined, nowMs: number): string {
  if (typeof time !== "string" || time === "") return "<unknown>";
  return humanDuration(nowMs - Date.parse(time));
}

export const ageColumn: Column = {
  ...column("Age", (object, nowMs) => since(object.metadata.creationTimestamp, nowMs)),
  description:
    "CreationTimestamp is a timestamp representing the server time when this object was created.",
};

/** The value at a path; a column of a custom resource prints lists and maps as JSON. */
export function at(...path: readonly (string | number)[]): (object: KubeObject) => Json {
  return (object) => textOf(valueAt(object, ...path));
}

/** "a=b,c=d" in key order, or "<none>". */
export function mapText(map: JsonObject): string {
  const parts = Object.keys(map)
    .sort()
    .map((key) => `${key}=${textOf(map[key])}`);
  return parts.length === 0 ? "<none>" : parts.join(",");
}
