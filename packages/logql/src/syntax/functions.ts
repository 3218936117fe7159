/** The names LogQL knows: what the parser recognises and what an editor may offer. */

/** Range aggregations of lines. */
export const lineFunctions: readonly string[] = [
  "rate",
  "count_over_time",
  "bytes_rate",
  "bytes_over_time",
  "absent_over_time",
];

/** Range aggregations of values taken with `unwrap`. */
export const valueFunctions: readonly string[] = [
  "rate",
  "rate_counter",
  "sum_over_time",
  "avg_over_time",
  "min_over_time",
  "max_over_time",
  "first_over_time",
  "last_over_time",
  "stdvar_over_time",
  "stddev_over_time",
  "quantile_over_time",
  "absent_over_time",
];

/** Those that may be grouped. */
export const groupedFunctions: readonly string[] = [
  "avg_over_time",
  "min_over_time",
  "max_over_time",
  "first_over_time",
  "last_over_time",
  "stdvar_over_time",
  "stddev_over_time",
  "quantile_over_time",
];

export const aggregations: readonly string[] = [
  "sum",
  "avg",
  "min",
  "max",
  "count",
  "stddev",
  "stdvar",
  "topk",
  "bottomk",
  "approx_topk",
  "sort",
  "sort_desc",
];

/** What may follow `|`, besides label filters. */
export const stageNames: readonly string[] = [
  "json",
  "logfmt",
  "pattern",
  "regexp",
  "unpack",
  "line_format",
  "label_format",
  "decolorize",
  "drop",
  "keep",
  "unwrap",
];

/** What may stand first in a metric query. */
export const functionNames: readonly string[] = [
  ...new Set([...lineFunctions, ...valueFunctions, ...aggregations, "label_replace", "vector"]),
];
