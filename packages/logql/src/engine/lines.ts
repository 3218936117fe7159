/** Log queries: as many lines as were asked for, from either end of the range. */
import {
  LimitError,
  type LogLine,
  type LogQuery,
  type LogReader,
  type LogResult,
} from "@skopos/model";
import { LineState } from "../pipeline/line-state.ts";
import { compilePipeline } from "../pipeline/pipeline.ts";
import type { LogSelector } from "../syntax/ast.ts";
import { formatStage } from "../syntax/format.ts";
import type { QueryLimits } from "./limits.ts";
import { pushDown } from "./push-down.ts";
import { linePages } from "./read-lines.ts";

/** Asked for at once when no stage is left to run here: the store gives exactly what is wanted. */
const directLinesMax = 20_000;

export async function readLines(
  reader: LogReader,
  selector: LogSelector,
  query: LogQuery,
  limits: QueryLimits,
): Promise<LogResult> {
  const { filter, stages } = pushDown(selector);
  const { limit, direction, startNs, endNs, signal } = query;
  const pipeline = compilePipeline(stages, { nowNs: endNs });
  const records: LogLine[] = [];
  const line = new LineState();
  let linesRead = 0;
  const pages =
    stages.length === 0 && limit <= directLinesMax
      ? [
          await reader.select({
            ...filter,
            startNs,
            endNs,
            limit,
            direction,
            ...(signal ? { signal } : {}),
          }),
        ]
      : linePages(reader, {
          filter,
          startNs,
          endNs,
          direction,
          firstPageLines: Math.max(limit, 1000),
          ...(signal ? { signal } : {}),
        });
  for await (const page of pages) {
    linesRead += page.length;
    for (const record of page) {
      line.reset(record);
      if (!pipeline(line)) continue;
      records.push(line.toLine());
      if (records.length >= limit) break;
    }
    if (records.length >= limit) break;
    if (linesRead > limits.linesMax)
      throw new LimitError(
        `${limits.linesMax} lines were read and only ${records.length} passed the query's stages: ` +
          "narrow the range, or add a line filter, which the store can search by",
      );
  }
  const plan = {
    reads: "lines",
    lineFilters: filter.filters.length,
    labelConditions: filter.conditions.length,
    stages: stages.map(formatStage),
    linesRead,
  } as const;
  return { type: "lines", records, plan: { selections: [plan] } };
}
