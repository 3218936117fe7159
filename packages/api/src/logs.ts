/** What is understood of log lines: statements, patterns over time, fields. */
import { z } from "zod";
import { entityRef, points } from "./common.ts";

/** What the lines of a query say, in sentences; most telling first. */
export const logExplanation = z.object({
  statements: z.array(
    z.object({
      kind: z.enum(["error", "slow", "pattern", "change"]),
      text: z.string(),
      /** Since when, Unix ms, to the width of a bucket; of a change, when it was made. */
      at: z.number().nullable(),
      /** Until when; null: it goes on. */
      until: z.number().nullable(),
      entity: entityRef.nullable(),
      /** Page that shows more of it. */
      path: z.string().nullable(),
    }),
  ),
  warnings: z.array(z.string()),
});
export type LogExplanation = z.infer<typeof logExplanation>;

/** Templates of the lines of the selected streams, the most frequent first. */
export const logPatterns = z.object({
  patterns: z.array(
    z.object({
      /** `<_>` stands for what differs. */
      pattern: z.string(),
      /** LogQL stages that let through its lines, of the streams asked for. */
      lines: z.string(),
      count: z.number(),
      points,
      /** When it was first seen, when that is within the range and other lines were seen before; else null. */
      newSince: z.number().nullable(),
      /** The last change before it was first seen, when it came soon before. */
      after: z.object({ id: z.string(), summary: z.string() }).nullable(),
    }),
  ),
  warnings: z.array(z.string()),
});
export type LogPatterns = z.infer<typeof logPatterns>;

export const logFields = z.object({
  fields: z.array(
    z.object({
      name: z.string(),
      type: z.string(),
      /** Different values among the lines looked at. */
      values: z.number(),
      /** "json", "logfmt"; empty for what is kept beside the line. */
      parser: z.string(),
    }),
  ),
});
