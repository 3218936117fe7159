/**
 * Unit tests of rules, as promtool reads them.
 * Source: Prometheus documentation, "Unit testing for rules"; cmd/promtool/unittest.go.
 */
import { messageOf, parseDuration, SkoposError } from "@skopos/model";
import { LineCounter, parseDocument } from "yaml";
import { z } from "zod";

const duration = z.union([z.string(), z.literal(0)]).transform((value, context) => {
  try {
    return parseDuration(`${value}`);
  } catch (error) {
    context.addIssue({ code: "custom", message: messageOf(error) });
    return z.NEVER;
  }
});

/** A scalar that stands for a text, as YAML's `5` for "5". */
const text = z.union([z.string(), z.number(), z.boolean()]).transform(String);
const labels = z.record(z.string(), text).nullish();

/** Unix seconds or RFC 3339, where the tests' time begins. */
const startTimestamp = z.union([z.number(), z.string()]).transform((value, context) => {
  const ms = Number.isNaN(Number(value)) ? Date.parse(String(value)) : Number(value) * 1000;
  if (Number.isNaN(ms)) {
    context.addIssue({ code: "custom", message: "unix seconds or an RFC 3339 time" });
    return z.NEVER;
  }
  return ms;
});

const testGroup = z.strictObject({
  name: z.string().optional(),
  interval: duration.optional(),
  start_timestamp: startTimestamp.optional(),
  input_series: z.array(z.strictObject({ series: z.string(), values: text.default("") })).nullish(),
  alert_rule_test: z
    .array(
      z.strictObject({
        eval_time: duration.default(0),
        alertname: z.string(),
        exp_alerts: z
          .array(z.strictObject({ exp_labels: labels, exp_annotations: labels }))
          .nullish(),
      }),
    )
    .nullish(),
  promql_expr_test: z
    .array(
      z.strictObject({
        expr: text,
        eval_time: duration.default(0),
        exp_samples: z
          .array(
            z.strictObject({
              labels: text.default("{}"),
              value: z.number().default(0),
              histogram: z.string().optional(),
            }),
          )
          .nullish(),
      }),
    )
    .nullish(),
  external_labels: labels,
  external_url: z.string().optional(),
});
export type TestGroup = z.output<typeof testGroup>;

const testFile = z.strictObject({
  rule_files: z.array(z.string()).nullish(),
  evaluation_interval: duration.optional(),
  group_eval_order: z.array(z.string()).nullish(),
  fuzzy_compare: z.boolean().optional(),
  tests: z.array(testGroup).nullish(),
});
export type RuleTestFile = z.output<typeof testFile>;

/** Throws "bad-rule-file" with file, line and column. */
export function parseRuleTestFile(source: string, fileName: string): RuleTestFile {
  const lines = new LineCounter();
  const document = parseDocument(source, { lineCounter: lines, prettyErrors: false });
  const place = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return `${fileName}:${line}:${col}`;
  };
  const [error] = document.errors;
  if (error) throw new SkoposError("bad-rule-file", `${place(error.pos[0])}: ${error.message}`);
  const result = testFile.safeParse(document.toJS() ?? {});
  if (result.success) return result.data;
  const problems = result.error.issues.map(({ path, message }) => {
    const node = document.getIn(path as (string | number)[], true) as
      | { range?: [number] }
      | undefined;
    return `${place(node?.range?.[0] ?? 0)}: ${path.join(".") || "the file"}: ${message}`;
  });
  throw new SkoposError("bad-rule-file", problems.join("\n"));
}
