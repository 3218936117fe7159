/** Templates of rules and notifications: parse once, expand per alert. */
import type { LabelMap } from "@skopos/model";
import type { ParsedTemplate } from "./ast.ts";
import { builtins } from "./builtins.ts";
import { executeTemplate, type TemplateFunctions } from "./evaluate.ts";
import { ruleFunctionNames } from "./functions.ts";
import { parseTemplate } from "./parse.ts";

export interface AlertTemplateData {
  readonly labels: LabelMap;
  readonly value: number;
  readonly externalLabels: LabelMap;
  readonly externalUrl: string;
}

/** A label's or annotation's template. Text without actions is returned as it is, without cost. */
export class RuleTemplate {
  readonly #plain: string | undefined;
  readonly #parsed: ParsedTemplate | undefined;

  /** Throws `TemplateError`. */
  constructor(source: string) {
    if (source.includes("{{")) {
      const names = new Set([...ruleFunctionNames, ...builtins.keys(), "and", "or"]);
      this.#parsed = parseTemplate(source, names);
    } else this.#plain = source;
  }

  /** Throws `TemplateError`, or what a query in it throws. */
  async expand(data: AlertTemplateData, functions: TemplateFunctions): Promise<string> {
    if (!this.#parsed) return this.#plain ?? "";
    const dot = {
      Labels: data.labels,
      ExternalLabels: data.externalLabels,
      ExternalURL: data.externalUrl,
      Value: data.value,
    };
    const variables = {
      $labels: data.labels,
      $externalLabels: data.externalLabels,
      $externalURL: data.externalUrl,
      $value: data.value,
    };
    return executeTemplate(this.#parsed, dot, variables, functions);
  }
}
