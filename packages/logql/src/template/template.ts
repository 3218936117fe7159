/** The templates of `line_format` and `label_format`: checked once, executed for every line. */
import type { Node } from "./ast.ts";
import { builtins } from "./builtins.ts";
import { executeTemplate, type TemplateFunction, type TemplateScope } from "./evaluate.ts";
import { lokiFunctions } from "./functions.ts";
import { parseTemplate } from "./parse.ts";
import { GoTime } from "./time.ts";

/** What a template may read besides labels. */
export interface TemplateLine {
  readonly text: string;
  readonly timeNs: bigint;
  label(name: string): string | undefined;
  labels(): Record<string, string>;
}

const ofLine = ["__line__", "__timestamp__", "now"];
export const templateFunctionNames: ReadonlySet<string> = new Set([
  ...builtins.keys(),
  ...lokiFunctions.keys(),
  ...ofLine,
  "and",
  "or",
]);

export class LineTemplate {
  readonly #nodes: readonly Node[];
  readonly #nowNs: bigint;

  /** `nowNs` is what `now` gives: the time of the query. Throws `TemplateFault`. */
  constructor(source: string, nowNs: bigint) {
    this.#nodes = parseTemplate(source, templateFunctionNames);
    this.#nowNs = nowNs;
  }

  /** Throws `TemplateFault`. */
  execute(line: TemplateLine): string {
    const own: Readonly<Record<string, TemplateFunction>> = {
      __line__: () => line.text,
      __timestamp__: () => new GoTime(line.timeNs),
      now: () => new GoTime(this.#nowNs),
    };
    const scope: TemplateScope = {
      label: (name) => line.label(name),
      labels: () => line.labels(),
      function: (name) => own[name] ?? lokiFunctions.get(name) ?? builtins.get(name),
    };
    return executeTemplate(this.#nodes, scope);
  }
}
