/**
 * The floor that any store must beat: the same data in a file that zstd compressed, searched by decompressing it through
 * grep. Loki, Tempo, Jaeger and VictoriaLogs are in no package source that is used here.
 */
import { execFileSync } from "node:child_process";
import { statSync } from "node:fs";

export interface Floor {
  readonly bytes: number;
  /** Of one search for a text, warm. */
  readonly searchMs: number;
}

export function zstdFloor(file: string, needle: string): Floor {
  execFileSync("zstd", ["-q", "-3", "-f", file, "-o", `${file}.zst`]);
  const search = () => {
    const began = performance.now();
    execFileSync("sh", [
      "-c",
      'zstd -dcq "$1" | grep -acF -- "$2" || true',
      "sh",
      `${file}.zst`,
      needle,
    ]);
    return performance.now() - began;
  };
  search();
  return { bytes: statSync(`${file}.zst`).size, searchMs: search() };
}
