/** `npm run bench -- <name> [--size N]`: runs `bench/<name>.ts` and ends with one JSON line of its figures. */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { size: { type: "string" }, dir: { type: "string" } },
});
const [name] = positionals;
const module = path.resolve(import.meta.dirname, `../bench/${name ?? ""}.ts`);
if (!name || !existsSync(module)) {
  console.error("usage: npm run bench -- <name> [--size N] (names: the .ts files of bench/)");
  process.exit(2);
}
const { run } = (await import(module)) as {
  run: (options: {
    size: number | undefined;
    dir: string | undefined;
  }) => Promise<Record<string, unknown>>;
};
const figures = await run({
  size: values.size === undefined ? undefined : Number(values.size),
  dir: values.dir,
});
const machine = `${os.cpus()[0]?.model ?? "unknown"} x${os.cpus().length}, ${Math.round(os.totalmem() / 2 ** 30)} GiB, node ${process.version}`;
const commit = execFileSync("git", ["rev-parse", "--short", "HEAD"], { encoding: "utf8" }).trim();
console.log(JSON.stringify({ bench: name, ...figures, machine, commit }));
process.exit(0);
