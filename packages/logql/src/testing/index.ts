/** For tests: a reader over lines in memory. */
export { MemoryLogReader } from "./memory-reader.ts";
