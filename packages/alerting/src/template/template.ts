/** Templates of rules and notifications: parsed once, expanded per alert. */
import type { LabelMap } from "@skopos/model";
import {
  builtinNames,
  executeTemplate,
  parseTemplate,
  type Template,
  TemplateError,
  type TemplateScope,
} from "@skopos/template";
import {
  contextFunctionNames,
  contextFunctions,
  type QuerySample,
  ruleFunctions,
  type TemplateContext,
} from "./functions.ts";

export interface AlertTemplateData {
  readonly labels: LabelMap;
  readonly value: number;
  readonly externalLabels: LabelMap;
  readonly externalUrl: string;
}

const outputCharsMax = 64 * 1024;
const queriesMax = 100;
const names = {
  functions: new Set(["tmpl", ...builtinNames, ...ruleFunctions.keys(), ...contextFunctionNames]),
  variables: ["$labels", "$externalLabels", "$externalURL", "$value"],
};

/** A label's or annotation's template. Text without actions is returned as it is, without cost. */
export class RuleTemplate {
  readonly #plain: string | undefined;
  readonly #parsed: Template | undefined;

  /** Throws `TemplateError`. */
  constructor(source: string) {
    if (source.includes("{{")) this.#parsed = parseTemplate(source, names);
    else this.#plain = source;
  }

  /** Throws `TemplateError`, or what a query in it throws. */
  async expand(data: AlertTemplateData, context: TemplateContext): Promise<string> {
    if (!this.#parsed) return this.#plain ?? "";
    const answers = new Map<string, readonly QuerySample[]>();
    const scope = scopeOf(data, context, answers);
    for (;;)
      try {
        return executeTemplate(this.#parsed, scope);
      } catch (error) {
        if (!(error instanceof Unanswered)) throw error;
        if (answers.size >= queriesMax)
          throw new TemplateError(`a template asks at most ${queriesMax} queries`);
        answers.set(error.query, await context.query(error.query));
      }
  }
}

/** Execution does not wait: it stops at a query that has no answer yet, and begins again once it has. */
class Unanswered extends Error {
  readonly query: string;

  constructor(query: string) {
    super(query);
    this.query = query;
  }
}

function scopeOf(
  { labels, externalLabels, externalUrl, value }: AlertTemplateData,
  context: TemplateContext,
  answers: ReadonlyMap<string, readonly QuerySample[]>,
): TemplateScope {
  const functions = new Map(
    Object.entries(
      contextFunctions(context, (query) => {
        const answer = answers.get(query);
        if (!answer) throw new Unanswered(query);
        return answer;
      }),
    ),
  );
  return {
    data: {
      Labels: labels,
      ExternalLabels: externalLabels,
      ExternalURL: externalUrl,
      Value: value,
    },
    variables: {
      $labels: labels,
      $externalLabels: externalLabels,
      $externalURL: externalUrl,
      $value: value,
    },
    missing: "",
    outputCharsMax,
    function: (name) => functions.get(name) ?? ruleFunctions.get(name),
  };
}
