/**
 * Lists of targets as `file_sd_configs` and `http_sd_configs` read them: `[{targets: ["host:port"], labels: {name: value}}]`.
 * Source: Prometheus configuration, `<file_sd_config>`, `<http_sd_config>`.
 */
import type { TargetGroup } from "../scrape/target.ts";
import { IngestError } from "../errors.ts";
import { isRecord } from "./reflector.ts";

const targetsMax = 200_000;

/** `source` names file or address in errors and in the groups; `meta` is added to every target. Throws "bad-config". */
export function targetGroupsFrom(
  value: unknown,
  source: string,
  meta: Readonly<Record<string, string>>,
): TargetGroup[] {
  const fail = (reason: string): never => {
    throw new IngestError("bad-config", `${source}: ${reason}`);
  };
  if (value === null || value === undefined) return [];
  if (!Array.isArray(value)) return fail("must be a list of {targets, labels}");
  let count = 0;
  return value.map((entry: unknown, i) => {
    if (!isRecord(entry)) return fail(`entry ${i + 1} must be a mapping with targets and labels`);
    const targets = entry["targets"] ?? [];
    if (!Array.isArray(targets) || !targets.every((each) => typeof each === "string"))
      return fail(`targets of entry ${i + 1} must be a list of texts like "host:port"`);
    count += targets.length;
    if (count > targetsMax) fail(`more than ${targetsMax} targets`);
    return {
      source: `${source}:${i}`,
      labels: { ...labelsOf(entry["labels"] ?? {}, i, fail), ...meta },
      targets: targets.map((address) => ({ __address__: address })),
    };
  });
}

function labelsOf(
  value: unknown,
  entry: number,
  fail: (reason: string) => never,
): Record<string, string> {
  if (!isRecord(value)) return fail(`labels of entry ${entry + 1} must be a mapping`);
  const labels: Record<string, string> = {};
  for (const [name, text] of Object.entries(value)) {
    if (typeof text !== "string" && typeof text !== "number" && typeof text !== "boolean")
      return fail(`label ${name} of entry ${entry + 1} must be a text`);
    labels[name] = String(text);
  }
  return labels;
}
