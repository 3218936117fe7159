/** The scenario files of a directory, read anew at each question so that an edited file counts at once. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { SkoposError } from "@skopos/model";
import { parseScenario, type Scenario } from "./scenario-file.ts";

const filesMax = 200;

/** What may be shown of a scenario; its ground truth may not. */
export interface ScenarioSummary {
  readonly name: string;
  readonly title: string;
  readonly description: string;
}

export class ScenarioLibrary {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** By name. Throws `DocumentError` for a file that is not right. */
  all(): Scenario[] {
    const files = readdirSync(this.#directory).filter((file) => /\.ya?ml$/.test(file));
    const read = (file: string) => {
      const path = join(this.#directory, file);
      return parseScenario(readFileSync(path, "utf8"), path);
    };
    return files
      .slice(0, filesMax)
      .map(read)
      .toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }

  summaries(): ScenarioSummary[] {
    return this.all().map(({ name, title, description }) => ({ name, title, description }));
  }

  get(name: string): Scenario {
    const all = this.all();
    const found = all.find((scenario) => scenario.name === name);
    if (found !== undefined) return found;
    const names = all.map((scenario) => scenario.name).join(", ");
    throw new SkoposError("unknown-scenario", `no scenario "${name}": there are ${names}`);
  }
}
