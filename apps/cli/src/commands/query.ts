import { parseDuration, SkoposError } from "@skopos/model";
import { Command } from "commander";
import { type ConnectionOptions, print, withConnection } from "../connection.ts";
import { callPrometheus, seriesName } from "../prometheus-call.ts";
import { formatTable } from "../table.ts";

type PrometheusData =
  | {
      readonly resultType: "vector";
      readonly result: readonly { metric: Record<string, string>; value?: [number, string] }[];
    }
  | {
      readonly resultType: "matrix";
      readonly result: readonly { metric: Record<string, string>; values?: [number, string][] }[];
    }
  | { readonly resultType: "scalar"; readonly result: [number, string] }
  | { readonly resultType: "string"; readonly result: [number, string] };

function answerText(data: PrometheusData): string {
  if (data.resultType === "scalar" || data.resultType === "string") return data.result[1];
  const rows =
    data.resultType === "vector"
      ? data.result.map((s) => ({
          series: seriesName(s.metric),
          value: s.value?.[1] ?? "histogram",
        }))
      : data.result.flatMap((s) =>
          (s.values ?? []).map(([at, value]) => ({
            series: `${seriesName(s.metric)} @ ${new Date(at * 1000).toISOString()}`,
            value,
          })),
        );
  if (rows.length === 0) return "No data.";
  return formatTable(
    [
      { title: "SERIES", value: (row) => row.series },
      { title: "VALUE", align: "right", value: (row) => row.value },
    ],
    rows,
  );
}

export function queryCommand(): Command {
  return withConnection(
    new Command("query")
      .description("ask a PromQL question about one moment")
      .argument("<expression>"),
  )
    .option("--time <time>", "unix seconds or RFC 3339; now when absent")
    .addHelpText(
      "after",
      "\nExample:\n  skopos query 'sum by (destination_service_name) (rate(istio_requests_total[1m]))'\n",
    )
    .action(async (expression: string, options: ConnectionOptions & { time?: string }) => {
      const parameters = new URLSearchParams({ query: expression });
      if (options.time) parameters.set("time", options.time);
      print(
        options,
        await callPrometheus<PrometheusData>(options, "query", parameters, "POST"),
        answerText,
      );
    });
}

interface RangeOptions extends ConnectionOptions {
  readonly start?: string;
  readonly end?: string;
  readonly range: string;
  readonly step?: string;
}

/** Unix seconds. */
function timeOption(text: string): number {
  const seconds = Number(text);
  if (!Number.isNaN(seconds)) return seconds;
  const parsed = Date.parse(text) / 1000;
  if (Number.isNaN(parsed))
    throw new SkoposError("usage", `not a time: ${text} (unix seconds or RFC 3339)`);
  return parsed;
}

/** As many steps as a terminal has rows for, when none is asked for. */
const stepsWanted = 60;

export function queryRangeCommand(): Command {
  return withConnection(
    new Command("query-range")
      .description("ask a PromQL question about a stretch of time")
      .argument("<expression>"),
  )
    .option("--range <duration>", "how far back from the end, when no start is named", "1h")
    .option("--start <time>", "unix seconds or RFC 3339")
    .option("--end <time>", "unix seconds or RFC 3339; now when absent")
    .option("--step <duration>", `a ${stepsWanted}th of the range when absent`)
    .addHelpText("after", "\nExample:\n  skopos query-range up --range 5m --step 15s -o json\n")
    .action(async (expression: string, options: RangeOptions) => {
      const end = options.end === undefined ? Date.now() / 1000 : timeOption(options.end);
      const start =
        options.start === undefined
          ? end - parseDuration(options.range) / 1000
          : timeOption(options.start);
      const step =
        options.step === undefined
          ? Math.max(1, Math.round((end - start) / stepsWanted))
          : parseDuration(options.step) / 1000;
      const parameters = new URLSearchParams({
        query: expression,
        start: String(start),
        end: String(end),
        step: String(step),
      });
      print(
        options,
        await callPrometheus<PrometheusData>(options, "query_range", parameters, "POST"),
        answerText,
      );
    });
}

export function seriesCommand(): Command {
  return withConnection(
    new Command("series")
      .description("list the series that match any of the selectors")
      .argument("<selectors...>"),
  )
    .option("--range <duration>", "with samples in the last <duration>", "1h")
    .option("--limit <count>", "at most so many", "1000")
    .addHelpText(
      "after",
      "\nExample:\n  skopos series 'istio_requests_total{reporter=\"source\"}'\n",
    )
    .action(
      async (
        selectors: readonly string[],
        options: ConnectionOptions & { range: string; limit: string },
      ) => {
        const end = Date.now() / 1000;
        const parameters = new URLSearchParams({
          start: String(end - parseDuration(options.range) / 1000),
          end: String(end),
          limit: options.limit,
        });
        for (const selector of selectors) parameters.append("match[]", selector);
        const found = await callPrometheus<readonly Record<string, string>[]>(
          options,
          "series",
          parameters,
          "POST",
        );
        print(options, found, (series) =>
          series.length === 0 ? "No series." : series.map(seriesName).sort().join("\n"),
        );
      },
    );
}
