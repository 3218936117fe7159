/** Untrusted JSON, walked with its path at hand: `field` and its siblings throw "bad-json" that names where. */
import { messageOf } from "@skopos/model";
import { IngestError } from "../errors.ts";

const utf8 = new TextDecoder("utf-8", { fatal: true });

export type JsonObject = Readonly<Record<string, unknown>>;

/** Objects and lists within one another; nothing that we read comes near. */
const depthMax = 1024;
/** Objects and lists in one body: each costs far more memory than its two brackets. */
const containersMax = 2_000_000;

/** Refuses a body that would take much more memory, or stack, than its size lets expect, before it is parsed. */
function checkShape(body: Uint8Array): void {
  let depth = 0;
  let containers = 0;
  let inText = false;
  for (let i = 0; i < body.length; i++) {
    const byte = body[i];
    if (inText) {
      if (byte === 0x5c) i++;
      else if (byte === 0x22) inText = false;
    } else if (byte === 0x22) inText = true;
    else if (byte === 0x7b || byte === 0x5b) {
      containers++;
      if (++depth > depthMax)
        throw new IngestError("bad-json", `byte ${i}: nested deeper than ${depthMax} levels`);
    } else if (byte === 0x7d || byte === 0x5d) depth--;
  }
  if (containers > containersMax)
    throw new IngestError("too-large", `more than ${containersMax} objects and lists in one body`);
}

/** Parses a whole body. Throws "bad-json", "too-large". */
export function parseJson(body: Uint8Array): unknown {
  checkShape(body);
  try {
    return JSON.parse(utf8.decode(body));
  } catch (error) {
    throw new IngestError("bad-json", `the body is not JSON: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

export function badJson(path: string, expected: string): never {
  throw new IngestError("bad-json", `${path || "the body"} must be ${expected}`);
}

export function asObject(value: unknown, path: string): JsonObject {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    return badJson(path, "an object");
  return value as JsonObject;
}

/** Absent and null are the empty list, as in protobuf's JSON mapping. */
export function asList(value: unknown, path: string): readonly unknown[] {
  if (value === undefined || value === null) return [];
  return Array.isArray(value) ? value : badJson(path, "a list");
}

/** Absent and null are "". */
export function asText(value: unknown, path: string): string {
  if (value === undefined || value === null) return "";
  return typeof value === "string" ? value : badJson(path, "a text");
}

/** A 64-bit integer as protobuf's JSON mapping writes it, a text of digits or a number. Absent is 0. */
export function asInt64(value: unknown, path: string): bigint {
  if (value === undefined || value === null) return 0n;
  const integer =
    (typeof value === "number" && Number.isInteger(value)) ||
    (typeof value === "string" && /^-?\d{1,20}$/.test(value))
      ? BigInt(value)
      : undefined;
  if (integer !== undefined && integer >= -(2n ** 63n) && integer < 2n ** 64n) return integer;
  return badJson(path, "an integer, or a text of digits");
}
