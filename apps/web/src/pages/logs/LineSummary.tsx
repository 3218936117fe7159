import type { LogLine } from "@skopos/api";
import type { ReactNode } from "react";
import { lineSays } from "../../logic/log-line.ts";
import { clockTimeMs, nsToMs } from "../../logic/times.ts";

const levelShape: Readonly<Record<LogLine["level"], readonly [state: string, shape: string]>> = {
  error: ["failing", "◆"],
  warning: ["degraded", "▲"],
  info: ["idle", "·"],
  debug: ["idle", "·"],
  unknown: ["idle", " "],
};

/** One line in one row: when, how bad, from whom, what. */
export function LineSummary({ line }: { readonly line: LogLine }): ReactNode {
  const [state, shape] = levelShape[line.level];
  return (
    <>
      <span className="quiet num">{clockTimeMs(nsToMs(line.timeNs))}</span>
      <span className={`state ${state}`}>
        <span aria-hidden="true">{shape}</span>
        <span className="visually-hidden">{line.level}</span>
      </span>
      <span className="from">{line.entity?.name ?? line.labels["app"] ?? ""}</span>
      <span className="line-text">{lineSays(line.line)}</span>
    </>
  );
}
