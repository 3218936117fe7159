/** For tests: upstream's script format and a reader over lines in memory. */
export { MemoryLogReader } from "./memory-reader.ts";
export { type EvalOutcome, runScript } from "./run-script.ts";
