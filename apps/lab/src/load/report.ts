/** What a load did so far, as data and as the text fortio prints. */
import type { LoadShape } from "./shape.ts";

export interface LoadReport {
  readonly startedMs: number;
  readonly elapsedS: number;
  readonly wantedRps: number;
  readonly shape: LoadShape;
  readonly sent: number;
  readonly completed: number;
  readonly achievedRps: number;
  /** Completed in the last ten seconds, per second. */
  readonly recentRps: number;
  /** Not sent because too many were under way. */
  readonly skipped: number;
  readonly inFlight: number;
  /** By response code; "-1" for requests without an answer, as fortio. */
  readonly codes: Readonly<Record<string, number>>;
  readonly latency:
    | {
        readonly minMs: number;
        readonly avgMs: number;
        readonly maxMs: number;
        readonly p50Ms: number;
        readonly p75Ms: number;
        readonly p90Ms: number;
        readonly p95Ms: number;
        readonly p99Ms: number;
        readonly p999Ms: number;
      }
    | undefined;
}

export function reportText(report: LoadReport): string {
  const { latency, codes } = report;
  const lines = [
    `Ended after ${report.elapsedS.toFixed(1)}s : ${report.completed} calls. qps=${report.achievedRps.toFixed(2)} (wanted ${report.wantedRps}, ${report.shape})`,
  ];
  if (latency !== undefined) {
    lines.push(
      `All done ${report.completed} calls: avg ${latency.avgMs.toFixed(2)} ms, min ${latency.minMs.toFixed(2)} ms, max ${latency.maxMs.toFixed(2)} ms`,
      `# target 50% ${seconds(latency.p50Ms)}`,
      `# target 75% ${seconds(latency.p75Ms)}`,
      `# target 90% ${seconds(latency.p90Ms)}`,
      `# target 99% ${seconds(latency.p99Ms)}`,
      `# target 99.9% ${seconds(latency.p999Ms)}`,
    );
  }
  for (const [code, count] of Object.entries(codes)) {
    const share = (100 * count) / Math.max(1, report.completed);
    lines.push(`Code ${code.padStart(3)} : ${count} (${share.toFixed(1)} %)`);
  }
  if (report.skipped > 0) {
    lines.push(`Skipped ${report.skipped} calls: too many were still under way`);
  }
  return lines.join("\n");
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(6);
}
