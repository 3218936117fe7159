/** A request's body as its protocol means it: inflated under a size limit, its media type told. */
import { gunzipSync, inflateSync } from "node:zlib";
import { messageOf } from "@skopos/model";
import { IngestError } from "../errors.ts";
import { inflateSnappy } from "./snappy.ts";

/** Bytes of a body after inflating, where the caller names no other limit. */
export const bodyMaxDefault = 32 * 1024 * 1024;

/** Inflates by `contentEncoding`: identity, gzip, deflate or snappy. Throws "too-large", "bad-gzip", "bad-snappy". */
export function inflateBody(
  body: Uint8Array,
  contentEncoding: string | undefined,
  sizeMax: number,
): Uint8Array {
  const encoding = (contentEncoding ?? "").trim().toLowerCase();
  switch (encoding) {
    case "":
    case "identity":
      if (body.length > sizeMax) throw tooLarge(sizeMax);
      return body;
    case "gzip":
    case "x-gzip":
      return inflateWith(gunzipSync, body, sizeMax);
    case "deflate":
      return inflateWith(inflateSync, body, sizeMax);
    case "snappy":
      return inflateSnappy(body, sizeMax);
    default:
      throw new IngestError(
        "unsupported-media-type",
        `cannot read content encoding ${JSON.stringify(encoding)}: use gzip, deflate, snappy or none`,
      );
  }
}

function tooLarge(sizeMax: number): IngestError {
  return new IngestError("too-large", `the body is larger than ${sizeMax} bytes`);
}

function inflateWith(inflate: typeof gunzipSync, body: Uint8Array, sizeMax: number): Uint8Array {
  try {
    return inflate(body, { maxOutputLength: sizeMax });
  } catch (error) {
    if (error instanceof RangeError) throw tooLarge(sizeMax);
    throw new IngestError("bad-gzip", `cannot inflate the body: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

export type MediaType = "json" | "protobuf";

/** Throws "unsupported-media-type". */
export function mediaTypeOf(contentType: string | undefined, fallback: MediaType): MediaType {
  const type = (contentType ?? "").split(";")[0]?.trim().toLowerCase();
  if (type === "") return fallback;
  if (type === "application/json") return "json";
  if (type === "application/x-protobuf" || type === "application/protobuf") return "protobuf";
  throw new IngestError(
    "unsupported-media-type",
    `cannot read content type ${JSON.stringify(contentType)}: use application/json or application/x-protobuf`,
  );
}
