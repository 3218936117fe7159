import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { parseScenario } from "./scenario-file.ts";

const head = "name: x\ntitle: X\ndescription: d\n";
const truth = "groundTruth:\n  node: { namespace: a, name: b }\n  mechanism: bad-rollout\n";
const parse = (steps: string) => parseScenario(`${head}${steps}${truth}`, "x.yaml");

describe("scenario files", () => {
  it("of the library are all valid", () => {
    const directory = fileURLToPath(new URL("../../scenarios", import.meta.url));
    const files = readdirSync(directory).filter((file) => file.endsWith(".yaml"));
    expect(files.length).toBeGreaterThanOrEqual(9);
    for (const file of files) {
      const scenario = parseScenario(readFileSync(`${directory}/${file}`, "utf8"), file);
      expect(`${scenario.name}.yaml`).toBe(file);
    }
  });

  it("take numbers and booleans for variables as text", () => {
    const [step] = parse("steps:\n  - setEnv: { deployment: a/b, env: { N: 1, F: true } }\n").steps;
    expect(step).toMatchObject({ setEnv: { container: "app", env: { N: "1", F: "true" } } });
  });

  it.each([
    ["an unknown step", "steps:\n  - explode: {}\n", /^x\.yaml:5:5: .*exactly one of apply, patch/],
    [
      "two steps in one",
      "steps:\n  - wait: { seconds: 1 }\n    scale: {}\n",
      /:5:5: .*exactly one/,
    ],
    ["no steps", "steps: []\n", /:4:8: .*add one/],
    [
      "a name without namespace",
      "steps:\n  - scale: { deployment: frontend, replicas: 1 }\n",
      /:5:26: .*must be "namespace\/name"/,
    ],
    [
      "too many replicas",
      "steps:\n  - scale: { deployment: a/b, replicas: 900 }\n",
      /:5:41: steps\[0\]\.scale\.replicas: /,
    ],
    ["broken YAML", "steps: [\n", /^x\.yaml:\d+:\d+: /],
    ["an unknown field", "stepz: []\nsteps:\n  - wait: { seconds: 1 }\n", /:4:1: .*stepz/],
  ])("say where and what is wrong: %s", (_what, steps, message) => {
    expect(() => parse(steps)).toThrow(message);
  });

  it("name a mechanism of the vocabulary", () => {
    const text = `${head}steps:\n  - wait: { seconds: 1 }\n${truth.replace("bad-rollout", "gremlins")}`;
    expect(() => parseScenario(text, "x.yaml")).toThrow(/:8:14: .*must be one of: bad-rollout/);
  });
});
