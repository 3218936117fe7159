/**
 * PromQL's functions as data: argument and result types, and which need the experimental flag. `optional` is how many of
 * the trailing arguments may be left out; where `repeats` is set the last argument may come any number of times.
 * Source: Prometheus documentation, "Query functions", 3.x.
 */
import type { ValueType } from "./ast.ts";

export interface PromqlFunction {
  readonly name: string;
  readonly args: readonly ValueType[];
  readonly optional: number;
  readonly repeats: boolean;
  readonly returns: ValueType;
  readonly experimental: boolean;
}

const functions = new Map<string, PromqlFunction>();

function define(
  names: string,
  args: readonly ValueType[],
  more: Partial<PromqlFunction> = {},
): void {
  for (const name of names.split(" ")) {
    functions.set(name, {
      name,
      args,
      optional: 0,
      repeats: false,
      returns: "vector",
      experimental: false,
      ...more,
    });
  }
}

define(
  "abs acos acosh asin asinh atan atanh ceil cos cosh deg exp floor ln log2 log10 rad sgn sin sinh sqrt tan tanh",
  ["vector"],
);
define("absent histogram_avg histogram_count histogram_stddev histogram_stdvar histogram_sum", [
  "vector",
]);
define("sort sort_desc timestamp", ["vector"]);
define("day_of_month day_of_week day_of_year days_in_month hour minute month year", ["vector"], {
  optional: 1,
});
define(
  "absent_over_time avg_over_time changes count_over_time delta deriv idelta increase irate last_over_time max_over_time " +
    "min_over_time present_over_time rate resets stddev_over_time stdvar_over_time sum_over_time",
  ["matrix"],
);
define("first_over_time mad_over_time ts_of_first_over_time ts_of_last_over_time ts_of_max_over_time ts_of_min_over_time", [
  "matrix",
], { experimental: true });
define("double_exponential_smoothing", ["matrix", "scalar", "scalar"], { experimental: true });
define("predict_linear", ["matrix", "scalar"]);
define("quantile_over_time", ["scalar", "matrix"]);
define("clamp", ["vector", "scalar", "scalar"]);
define("clamp_max clamp_min", ["vector", "scalar"]);
define("round", ["vector", "scalar"], { optional: 1 });
define("histogram_quantile", ["scalar", "vector"]);
define("histogram_fraction", ["scalar", "scalar", "vector"]);
define("histogram_quantiles", ["vector", "string", "scalar", "scalar"], {
  repeats: true,
  optional: 1,
  experimental: true,
});
define("label_join", ["vector", "string", "string", "string"], { repeats: true, optional: 1 });
define("label_replace", ["vector", "string", "string", "string", "string"]);
define("sort_by_label sort_by_label_desc", ["vector", "string"], {
  repeats: true,
  optional: 1,
  experimental: true,
});
define("info", ["vector", "vector"], { optional: 1, experimental: true });
define("vector", ["scalar"]);
define("scalar", ["vector"], { returns: "scalar" });
define("pi time", [], { returns: "scalar" });
define("start end step range", [], { returns: "scalar", experimental: true });
define("min_of max_of", ["scalar", "scalar"], { returns: "scalar", experimental: true });

/** Every function by name. */
export const functionTable: ReadonlyMap<string, PromqlFunction> = functions;
