/** Log patterns of a service that are new or surging since the onset. */
import { quoted } from "@skopos/mesh";
import { type LogEngine, messageOf } from "@skopos/model";
import { patternOf, TemplateMiner } from "./log-templates.ts";

export interface LogFinding {
  readonly query: string;
  readonly pattern: string;
  readonly count: number;
  readonly before: number;
  readonly example: string;
}

const linesMax = 1000;
const surgeFactor = 4;
const trouble =
  "(?i)error|exception|timed? ?out|timeout|refused|panic|fatal|denied|unavailable|exhausted|failed";
/** Labels that name the service, as collectors commonly set them. */
const serviceLabels = [
  "app",
  "service_name",
  "service",
  "canonical_service",
  "workload",
  "container",
];

export interface LogWindow {
  readonly startMs: number;
  readonly onsetMs: number;
  readonly endMs: number;
}

/** The strongest new pattern among lines that speak of trouble. Undefined when there is none, or no logs of the service. */
export async function findLogPattern(
  engine: Pick<LogEngine, "query" | "labelNames">,
  serviceId: string,
  window: LogWindow,
  warnings: string[],
): Promise<LogFinding | undefined> {
  try {
    const names = await engine.labelNames(window.startMs, window.endMs);
    const label = serviceLabels.find((name) => names.includes(name));
    if (label === undefined) return undefined;
    const [namespace = "", name = ""] = serviceId.split("/");
    const scope = names.includes("namespace") ? `namespace=${quoted(namespace)}, ` : "";
    const query = `{${scope}${label}=${quoted(name)}} |~ ${quoted(trouble)}`;
    const mine = async (startMs: number, endMs: number) => {
      const found = await engine.query({
        query,
        startNs: BigInt(Math.round(startMs)) * 1_000_000n,
        endNs: BigInt(Math.round(endMs)) * 1_000_000n,
        limit: linesMax,
        direction: "backward",
      });
      const miner = new TemplateMiner();
      if (found.type === "lines") for (const { line } of found.records) miner.add(line);
      return miner.templates;
    };
    const [before, during] = await Promise.all([
      mine(window.startMs, window.onsetMs),
      mine(window.onsetMs, window.endMs),
    ]);
    const scale = (window.endMs - window.onsetMs) / Math.max(1, window.onsetMs - window.startMs);
    const usual = new Map(before.map((template) => [patternOf(template), template.count]));
    for (const template of during) {
      const pattern = patternOf(template);
      const known = usual.get(pattern) ?? 0;
      if (!/[a-z]{3}/i.test(pattern)) continue;
      if (template.count >= 3 && template.count > known * scale * surgeFactor)
        return {
          query,
          pattern,
          count: template.count,
          before: known,
          example: template.example.slice(0, 500),
        };
    }
  } catch (error) {
    warnings.push(`logs of ${serviceId} could not be read: ${messageOf(error)}`);
  }
  return undefined;
}
