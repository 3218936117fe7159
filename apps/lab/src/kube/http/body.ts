import type { IncomingMessage } from "node:http";
import { parse as parseYaml } from "yaml";
import { messageOf } from "@skopos/model";
import { isObject, type Json, type JsonObject } from "../json.ts";
import { decodeProtobuf, protobufMediaType } from "../protobuf.ts";
import { badRequest, StatusError, unsupportedMediaType } from "../status-error.ts";

/** Request bodies: at most 3 MiB, as the real server takes; JSON, or YAML where the client says so. */
const bodyBytesMax = 3 * 1024 * 1024;

function tooLarge(): StatusError {
  const message = `Request entity too large: limit is ${bodyBytesMax}`;
  return new StatusError(413, "RequestEntityTooLarge", message);
}

export async function readBody(request: IncomingMessage): Promise<Buffer> {
  if (Number(request.headers["content-length"] ?? 0) > bodyBytesMax) throw tooLarge();
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of request) {
    const bytes = Buffer.from(chunk);
    sizeBytes += bytes.length;
    if (sizeBytes > bodyBytesMax) throw tooLarge();
    chunks.push(bytes);
  }
  return Buffer.concat(chunks);
}

/** The media type without parameters; absent means JSON. */
export function mediaTypeOf(request: IncomingMessage): string {
  const header = request.headers["content-type"] ?? "application/json";
  return (header.split(";")[0] ?? "").trim().toLowerCase();
}

const yamlTypes = ["application/yaml", "application/apply-patch+yaml"];

/** Parses a body of an accepted media type; `accepted` is what a refusal lists. */
export function parseBody(bytes: Buffer, mediaType: string, accepted: readonly string[]): Json {
  if (!accepted.includes(mediaType)) throw unsupportedMediaType(accepted);
  if (mediaType === protobufMediaType) return decodeProtobuf(bytes);
  const text = bytes.toString("utf8");
  try {
    if (!yamlTypes.includes(mediaType)) return JSON.parse(text) as Json;
    // maxAliasCount bounds what a small document may expand to.
    return parseYaml(text, { maxAliasCount: 100 }) as Json;
  } catch (error) {
    throw badRequest(`error decoding the request body: ${messageOf(error)}`);
  }
}

const objectTypes = ["application/json", "application/yaml", protobufMediaType];

export function parseObject(
  bytes: Buffer,
  mediaType: string,
  accepted: readonly string[] = objectTypes,
): JsonObject {
  const value = parseBody(bytes, mediaType, accepted);
  if (!isObject(value)) throw badRequest("the request body must be an object");
  return value;
}
