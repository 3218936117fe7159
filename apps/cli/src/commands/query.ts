import { parseDuration, SkoposError } from "@skopos/model";
import { Command } from "commander";
import { type ConnectionOptions, print, withConnection } from "../connection.ts";
import { formatTable } from "../table.ts";

/** What the Prometheus API answers. */
interface PrometheusAnswer {
  readonly status: "success" | "error";
  readonly error?: string;
  readonly data?: PrometheusData;
  readonly warnings?: readonly string[];
}
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

function seriesName(metric: Readonly<Record<string, string>>): string {
  const { __name__: name = "", ...labels } = metric;
  const body = Object.entries(labels).map(([key, value]) => `${key}=${JSON.stringify(value)}`);
  return body.length === 0 && name ? name : `${name}{${body.join(", ")}}`;
}

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
    new Command("query").description("ask a PromQL question").argument("<expression>"),
  )
    .option("--time <time>", "unix seconds or RFC 3339; now when absent")
    .option("--range <duration>", "evaluate over the last <duration> instead of once")
    .option("--step <duration>", "step of a range", "15s")
    .addHelpText(
      "after",
      "\nExamples:\n  skopos query 'sum by (destination_service_name) (rate(istio_requests_total[1m]))'\n  skopos query up --range 5m -o json\n",
    )
    .action(
      async (
        expression: string,
        options: ConnectionOptions & { time?: string; range?: string; step: string },
      ) => {
        const parameters = new URLSearchParams({ query: expression });
        let call = "query";
        if (options.range) {
          const end = Date.now() / 1000;
          call = "query_range";
          parameters.set("start", String(end - parseDuration(options.range) / 1000));
          parameters.set("end", String(end));
          parameters.set("step", String(parseDuration(options.step) / 1000));
        } else if (options.time) parameters.set("time", options.time);
        const url = `${options.server.replace(/\/$/, "")}/api/v1/${call}`;
        const response = await fetch(url, { method: "POST", body: parameters }).catch(
          (cause: unknown) => {
            throw new SkoposError(
              "unreachable",
              `no answer from ${options.server}: is skopos running?`,
              { cause },
            );
          },
        );
        const answer = (await response.json()) as PrometheusAnswer;
        if (answer.status !== "success" || !answer.data)
          throw new SkoposError(
            "bad-query",
            answer.error ?? `the server answered ${response.status}`,
          );
        print(options, answer.data, answerText);
        for (const warning of answer.warnings ?? []) console.error(`warning: ${warning}`);
      },
    );
}
