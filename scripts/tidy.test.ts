/** Rules of the house that no other tool checks. Each rule proves that it read files, and that a planted fault is found. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { findLayerFaults, type SourceFile } from "./layers.ts";

const root = path.resolve(import.meta.dirname, "..");
const listed = execFileSync("git", ["ls-files", "-co", "--exclude-standard"], {
  cwd: root,
  encoding: "utf8",
});
const files = listed.split("\n").filter((name) => name !== "");
const read = (name: string) => readFileSync(path.join(root, name), "utf8");
const sources: SourceFile[] = files
  .filter((name) => /^(?:packages|apps)\/[^/]+\/src\/.*\.tsx?$/.test(name))
  .map((name) => ({ name, text: read(name) }));
const layers = JSON.parse(read("scripts/layers.json")) as Record<string, string[]>;

describe("layers", () => {
  it("hold in every source file", () => {
    expect(sources.length).toBeGreaterThan(30);
    console.log(`layers: ${sources.length} files of ${Object.keys(layers).length - 1} rooms read`);
    expect(findLayerFaults(sources, layers)).toEqual([]);
  });

  it("name every room of the tree", () => {
    const rooms = new Set(
      files.map((name) => /^((?:packages|apps)\/[^/]+)\//.exec(name)?.[1]).filter((room) => room),
    );
    expect(
      Object.keys(layers)
        .filter((room) => !room.startsWith("$"))
        .sort(),
    ).toEqual([...rooms].sort());
  });

  it.each([
    ["packages/model/src/x.ts", 'import { x } from "@skopos/store";'],
    ["packages/store/src/x.ts", 'import { parse } from "@skopos/promql/syntax";'],
    ["apps/web/src/x.tsx", 'import { createMetricEngine } from "@skopos/promql";'],
    ["packages/mesh/src/x.ts", 'const x = await import("@skopos/incident");'],
    ["packages/mesh/src/x.ts", 'export { x } from "../../incident/src/index.ts";'],
  ])("find a fault planted in %s: %s", (name, text) => {
    expect(findLayerFaults([{ name, text }], layers)).toHaveLength(1);
  });
});

describe("the tree", () => {
  const texts = files.filter(
    (name) => /\.(?:ts|tsx|json|md|ya?ml|html|css|sh)$/.test(name) || name === ".ci/run",
  );

  it("names no machine path and no registry host", () => {
    const pattern =
      /\/(?:work|root|home\/[a-z]+)\/|registry\.npmjs|npmmirror|deb\.debian\.org|"resolved": "https?:/;
    const faults = texts.filter(
      (name) => name !== "scripts/tidy.test.ts" && pattern.test(read(name)),
    );
    expect(texts.length).toBeGreaterThan(60);
    expect(faults).toEqual([]);
  });

  it("has no file above 900 lines but tables and locks", () => {
    const long = sources
      .filter(({ text }) => text.split("\n").length > 900)
      .map(({ name }) => name);
    expect(long).toEqual([]);
  });

  it("reads the clock only in apps and the clock module", () => {
    const faults = sources
      .filter(
        ({ name }) =>
          name.startsWith("packages/") &&
          !/\.test\.tsx?$|model\/src\/clock\.ts$|\/testing\//.test(name),
      )
      .filter(({ text }) =>
        /\bDate\.now\(|\bMath\.random\(|\bsetTimeout\(|\bsetInterval\(/.test(text),
      )
      .map(({ name }) => name);
    expect(faults).toEqual([]);
  });

  it("has no barrel but the doors, and no star exports", () => {
    const faults = sources
      .filter(({ text }) => /^export \* from/m.test(text))
      .map(({ name }) => name);
    expect(faults).toEqual([]);
  });
});
