/** Builds `dist/`: the program (one bundle per process or thread) and the web page. chdb stays outside: it is native. */
import { cpSync, existsSync, rmSync } from "node:fs";
import path from "node:path";
import { rolldown } from "rolldown";
import { build as buildWeb } from "vite";

const root = path.resolve(import.meta.dirname, "..");
const dist = path.join(root, "dist");

/** Output name → source. Each is a process or a worker thread of its own. */
const entries: Record<string, string> = {
  skopos: "apps/cli/src/main.ts",
  "telemetry-thread": "apps/server/src/threads/telemetry-thread.ts",
  "intake-thread": "apps/server/src/threads/intake-thread.ts",
  "query-thread": "apps/server/src/threads/query-thread.ts",
  "carrier-thread": "apps/server/src/threads/carrier-thread.ts",
  "remote-write-thread": "apps/server/src/threads/remote-write-thread.ts",
  "clickhouse-process": "apps/server/src/threads/clickhouse-process.ts",
  "lab-process": "apps/lab/src/entries/lab-process.ts",
  "pod-process": "apps/lab/src/entries/pod-process.ts",
  "load-process": "apps/lab/src/entries/load-process.ts",
};

/** Folder in dist → source: data that is read at run time. */
const resources: Record<string, string> = {
  rules: "packages/alerting/rules",
  runbooks: "packages/incident/runbooks",
  scenarios: "apps/lab/scenarios",
  topologies: "apps/lab/topologies",
};

export async function build(): Promise<void> {
  rmSync(dist, { recursive: true, force: true });
  const input = Object.fromEntries(
    Object.entries(entries).map(([name, source]) => [name, path.join(root, source)]),
  );
  const missing = Object.values(input).filter((source) => !existsSync(source));
  if (missing.length > 0) throw new Error(`entries without a source: ${missing.join(", ")}`);
  const bundle = await rolldown({
    input,
    platform: "node",
    external: ["chdb"],
    logLevel: "warn",
    resolve: { conditionNames: ["node", "default"] },
  });
  await bundle.write({
    dir: dist,
    format: "esm",
    sourcemap: true,
    entryFileNames: "[name].js",
    chunkFileNames: "[name]-[hash].js",
    banner:
      'import { createRequire as skoposCreateRequire } from "node:module"; const require = skoposCreateRequire(import.meta.url);',
  });
  await bundle.close();
  for (const [name, source] of Object.entries(resources))
    cpSync(path.join(root, source), path.join(dist, name), { recursive: true });
  await buildWeb({
    configFile: path.join(root, "apps/web/vite.config.ts"),
    root: path.join(root, "apps/web"),
    logLevel: "warn",
  });
}

if (process.argv[1] && path.resolve(process.argv[1]) === import.meta.filename) {
  const start = performance.now();
  await build();
  console.log(`built dist/ in ${((performance.now() - start) / 1000).toFixed(1)} s`);
}
