/** For tests: upstream's script format and a reader over series in memory. */
export { MemoryReader, type MemorySample } from "./memory-reader.ts";
export { type EvalOutcome, runScript } from "./run-script.ts";
export { type NotedValue, parseMetric, parseSeries } from "./series-notation.ts";
