/** The templates of `line_format` and `label_format`: checked once, executed for every line. A label that is absent is "". */
import {
  builtinNames,
  executeTemplate,
  GoTime,
  LazyMap,
  parseTemplate,
  type Template,
  type TemplateFunction,
} from "@skopos/template";
import { lokiFunctions } from "./functions.ts";

/** What a template may read besides labels. */
export interface TemplateLine {
  readonly text: string;
  readonly timeNs: bigint;
  label(name: string): string | undefined;
  labels(): Record<string, string>;
}

const outputCharsMax = 1024 * 1024;
const functions: ReadonlySet<string> = new Set([
  ...builtinNames,
  ...lokiFunctions.keys(),
  "__line__",
  "__timestamp__",
  "now",
]);

/** Throws `TemplateError`. */
export function parseLineTemplate(source: string): Template {
  return parseTemplate(source, { functions });
}

export class LineTemplate {
  readonly #template: Template;
  readonly #nowNs: bigint;

  /** `nowNs` is what `now` gives: the time of the query. Throws `TemplateError`. */
  constructor(source: string, nowNs: bigint) {
    this.#template = parseLineTemplate(source);
    this.#nowNs = nowNs;
  }

  /** Throws `TemplateError`. */
  execute(line: TemplateLine): string {
    const own: Readonly<Record<string, TemplateFunction>> = {
      __line__: () => line.text,
      __timestamp__: () => new GoTime(line.timeNs),
      now: () => new GoTime(this.#nowNs),
    };
    return executeTemplate(this.#template, {
      data: new Labels(line),
      outputCharsMax,
      function: (name) => own[name] ?? lokiFunctions.get(name),
    });
  }
}

class Labels extends LazyMap {
  readonly #line: TemplateLine;

  constructor(line: TemplateLine) {
    super();
    this.#line = line;
  }

  field(name: string): string {
    return this.#line.label(name) ?? "";
  }

  whole(): Record<string, string> {
    return this.#line.labels();
  }
}
