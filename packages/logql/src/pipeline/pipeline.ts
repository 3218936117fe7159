/** Compiles stages once, to be run on line after line. */
import { compileMatcher } from "@skopos/model";
import type { LabelFormat, LabelTarget, Stage } from "../syntax/ast.ts";
import { TemplateError } from "@skopos/template";
import { LineTemplate } from "../template/template.ts";
import { compileLabelFilter } from "./label-filter.ts";
import { compileLineFilter } from "./line-filter.ts";
import { errorDetailsLabel, errorLabel, type LineState } from "./line-state.ts";
import {
  compileJson,
  compileLogfmt,
  compilePattern,
  compileRegexp,
  compileUnpack,
  type Step,
} from "./parsers.ts";

export interface PipelineContext {
  /** The time of the query, for `now` in templates. */
  readonly nowNs: bigint;
  /** The only labels that are looked at in the end; undefined: all of them. */
  readonly wanted?: ReadonlySet<string> | undefined;
}

/** Whether the line stays. */
export type Pipeline = (line: LineState) => boolean;

export function compilePipeline(stages: readonly Stage[], context: PipelineContext): Pipeline {
  const steps = stages.map((stage) => compileStage(stage, context));
  return (line) => {
    for (const step of steps) if (!step(line)) return false;
    return true;
  };
}

function compileStage(stage: Stage, context: PipelineContext): Step {
  switch (stage.type) {
    case "line": {
      const test = compileLineFilter(stage);
      return (line) => test(line.text);
    }
    case "json":
      return compileJson(stage.fields, context.wanted);
    case "logfmt":
      return compileLogfmt(stage, context.wanted);
    case "pattern":
      return compilePattern(stage.pattern);
    case "regexp":
      return compileRegexp(stage.pattern);
    case "unpack":
      return compileUnpack();
    case "decolorize":
      return (line) => {
        if (line.text.includes("\u001b")) line.text = line.text.replaceAll(ansi, "");
        return true;
      };
    case "label":
      return compileLabelFilter(stage.filter);
    case "line_format": {
      const template = new LineTemplate(stage.template, context.nowNs);
      return (line) => {
        const text = rendered(template, line);
        if (text !== undefined) line.text = text;
        return true;
      };
    }
    case "label_format":
      return compileFormats(stage.formats, context.nowNs);
    case "drop":
      return compileDrop(stage.targets);
    case "keep":
      return compileKeep(stage.targets);
  }
}

// eslint-disable-next-line no-control-regex
const ansi = /\u001b\[[\d;?]*[A-Za-z]/g;

/** Undefined when the template failed, which marks the line. */
function rendered(template: LineTemplate, line: LineState): string | undefined {
  try {
    return template.execute({
      text: line.text,
      timeNs: line.timeNs,
      label: (name) => line.get(name),
      labels: () => line.labels(),
    });
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    line.fail("TemplateFormatErr", error.message);
    return undefined;
  }
}

function compileFormats(formats: readonly LabelFormat[], nowNs: bigint): Step {
  const steps = formats.map(({ name, type, value }): ((line: LineState) => void) => {
    if (type === "rename") return (line) => line.rename(value, name);
    const template = new LineTemplate(value, nowNs);
    return (line) => {
      const text = rendered(template, line);
      if (text !== undefined) line.set(name, text);
    };
  });
  return (line) => {
    for (const step of steps) step(line);
    return true;
  };
}

type TargetTest = (value: string) => boolean;

function compileTarget({ matcher }: LabelTarget): TargetTest {
  if (!matcher) return () => true;
  const compiled = compileMatcher(matcher);
  return (value) => compiled.test(value);
}

function compileDrop(targets: readonly LabelTarget[]): Step {
  const tests = targets.map((target) => ({ name: target.name, test: compileTarget(target) }));
  return (line) => {
    for (const { name, test } of tests) {
      const value = line.get(name);
      if (value !== undefined && test(value)) line.delete(name);
    }
    return true;
  };
}

function compileKeep(targets: readonly LabelTarget[]): Step {
  const tests = new Map<string, TargetTest[]>();
  for (const target of targets)
    tests.set(target.name, [...(tests.get(target.name) ?? []), compileTarget(target)]);
  return (line) => {
    for (const name of line.names()) {
      if (name === errorLabel || name === errorDetailsLabel) continue;
      const value = line.get(name) ?? "";
      if (!tests.get(name)?.some((test) => test(value))) line.delete(name);
    }
    return true;
  };
}
