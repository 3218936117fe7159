/**
 * How far the head has been carried into the history: `{"carriedThroughMs": …}` in a small file that is replaced as a
 * whole, once everything before it is synced in ClickHouse. Whoever opens the head reads it before it takes new samples.
 */
import { SkoposError } from "@skopos/model";
import { readWholeFile, replaceFile } from "../journal/whole-file.ts";

/** -Infinity when nothing was carried yet. Throws "bad-checkpoint". */
export async function readCarriedThrough(file: string): Promise<number> {
  const text = await readWholeFile(file);
  if (text === undefined) return -Infinity;
  try {
    const json: unknown = JSON.parse(text);
    if (typeof json === "object" && json !== null && "carriedThroughMs" in json) {
      const { carriedThroughMs } = json;
      if (typeof carriedThroughMs === "number") return carriedThroughMs;
    }
  } catch (cause) {
    throw badWatermark(file, cause);
  }
  throw badWatermark(file);
}

function badWatermark(file: string, cause?: unknown): SkoposError {
  const message = `${file} does not say how far metrics were carried; delete it to carry what the head holds once more`;
  return new SkoposError("bad-checkpoint", message, { cause });
}

export function writeCarriedThrough(file: string, carriedThroughMs: number): Promise<void> {
  return replaceFile(file, `${JSON.stringify({ carriedThroughMs })}\n`);
}
