/**
 * Rule files in Prometheus's format. Everything is checked when the file is read, so that a rule that loads can run:
 * settings, names, expressions, templates. Each error names file, line, column and the rule.
 * Source: prometheus/model/rulefmt, "Defining recording rules" and "Alerting rules".
 */
import { type LabelMap, messageOf, parseDuration, SkoposError } from "@skopos/model";
import { parse as parseQuery } from "@skopos/promql/syntax";
import { isMap, isScalar, isSeq, LineCounter, parseDocument, type YAMLMap } from "yaml";
import { RuleTemplate } from "../template/template.ts";

interface RuleBase {
  readonly name: string;
  readonly expr: string;
  readonly labels: LabelMap;
}

export interface RecordingRule extends RuleBase {
  readonly kind: "record";
}

export interface AlertingRule extends RuleBase {
  readonly kind: "alert";
  readonly forMs: number;
  readonly keepFiringForMs: number;
  readonly annotations: LabelMap;
}

export type Rule = RecordingRule | AlertingRule;

export interface RuleGroup {
  readonly name: string;
  readonly file: string;
  /** Undefined: the runner's default. */
  readonly intervalMs: number | undefined;
  /** Series of a recording rule, or alerts of an alerting rule; 0 for no limit. */
  readonly limit: number;
  readonly queryOffsetMs: number | undefined;
  readonly labels: LabelMap;
  readonly rules: readonly Rule[];
}

/** A rule file that cannot be used. Code "bad-rule-file". */
export class RuleFileError extends SkoposError {
  readonly file: string;
  readonly line: number;
  readonly column: number;

  constructor(file: string, line: number, column: number, reason: string, options?: ErrorOptions) {
    super("bad-rule-file", `${file}:${line}:${column}: ${reason}`, options);
    this.file = file;
    this.line = line;
    this.column = column;
  }
}

const fileCharsMax = 4 * 1024 * 1024;
const labelName = /^[a-zA-Z_][a-zA-Z0-9_]*$/;

/** Reads the text of `fileName`. Throws `RuleFileError`. */
export function parseRuleFile(text: string, fileName: string): RuleGroup[] {
  const lines = new LineCounter();
  if (text.length > fileCharsMax)
    throw new RuleFileError(fileName, 1, 1, `a rule file holds at most ${fileCharsMax} characters`);
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const file = new RuleFile(fileName, lines);
  const [error] = document.errors;
  if (error) file.failAt(error.pos[0], error.message);
  if (document.contents === null) return [];
  return file.groups(document.contents);
}

type Key = string;

class RuleFile {
  readonly #name: string;
  readonly #lines: LineCounter;
  /** Where in the file we are, for messages: `group "x", alert "Y"`. */
  #where = "";

  constructor(name: string, lines: LineCounter) {
    this.#name = name;
    this.#lines = lines;
  }

  failAt(offset: number, reason: string, cause?: unknown): never {
    const { line, col } = this.#lines.linePos(offset);
    const where = this.#where === "" ? "" : `${this.#where}: `;
    const options = cause === undefined ? undefined : { cause };
    throw new RuleFileError(this.#name, line, col, where + reason, options);
  }

  #fail(node: unknown, reason: string, cause?: unknown): never {
    const range = isMap(node) || isSeq(node) || isScalar(node) ? node.range : undefined;
    return this.failAt(range?.[0] ?? 0, reason, cause);
  }

  groups(root: unknown): RuleGroup[] {
    const map = this.#map(root, "a rule file", ["groups"]);
    const groups = this.#list(map, "groups").map((node) => this.#group(node));
    const seen = new Set<string>();
    for (const { name } of groups) {
      if (seen.has(name)) this.#fail(root, `two groups are called ${JSON.stringify(name)}`);
      seen.add(name);
    }
    return groups;
  }

  #group(node: unknown): RuleGroup {
    this.#where = "";
    const keys = [
      "name",
      "interval",
      "query_offset",
      "limit",
      "labels",
      "rules",
      "partial_response_strategy",
    ];
    const map = this.#map(node, "a group", keys);
    const name = this.#text(map, "name") ?? "";
    if (name === "") this.#fail(node, "a group needs a name");
    const group = `group ${JSON.stringify(name)}`;
    this.#where = group;
    const intervalMs = this.#duration(map, "interval");
    if (intervalMs === 0) this.#fail(map.get("interval", true), "interval must not be 0");
    const labels = this.#labels(map, "labels");
    const limit = Number(this.#text(map, "limit") ?? 0);
    if (!Number.isSafeInteger(limit) || limit < 0)
      this.#fail(map.get("limit", true), "limit must be a whole number");
    return {
      name,
      file: this.#name,
      intervalMs,
      limit,
      queryOffsetMs: this.#duration(map, "query_offset"),
      labels,
      rules: this.#list(map, "rules").map((rule, i) => this.#rule(rule, i, group, labels)),
    };
  }

  #rule(node: unknown, index: number, group: string, groupLabels: LabelMap): Rule {
    this.#where = `${group}, rule ${index + 1}`;
    const keys = ["record", "alert", "expr", "for", "keep_firing_for", "labels", "annotations"];
    const map = this.#map(node, "a rule", keys);
    const record = this.#text(map, "record");
    const alert = this.#text(map, "alert");
    if ((record === undefined) === (alert === undefined))
      this.#fail(node, "a rule has either record or alert");
    const kind = record === undefined ? "alert" : "record";
    const name = record ?? alert ?? "";
    this.#where = `${group}, ${kind} ${JSON.stringify(name)}`;
    if (name === "") this.#fail(node, `${kind} must not be empty`);
    const expr = this.#expression(node, map);
    const own = this.#labels(map, "labels");
    const labels = { ...groupLabels, ...own };
    if (kind === "record") return this.#recording(node, map, { name, expr, labels });
    this.#checkTemplates(map, "labels", labels);
    const annotations = this.#labels(map, "annotations");
    this.#checkTemplates(map, "annotations", annotations);
    return {
      kind,
      name,
      expr,
      labels,
      forMs: this.#duration(map, "for") ?? 0,
      keepFiringForMs: this.#duration(map, "keep_firing_for") ?? 0,
      annotations,
    };
  }

  #recording(node: unknown, map: YAMLMap, rule: RuleBase): RecordingRule {
    if (/[{}\s]/.test(rule.name)) this.#fail(node, "record must be the name of a metric");
    for (const key of ["for", "keep_firing_for", "annotations"])
      if (map.has(key)) this.#fail(map.get(key, true), `a recording rule has no ${key}`);
    return { kind: "record", ...rule };
  }

  #expression(node: unknown, map: YAMLMap): string {
    const expr = this.#text(map, "expr") ?? "";
    if (expr.trim() === "") this.#fail(node, "a rule needs an expr");
    try {
      parseQuery(expr);
    } catch (error) {
      this.#fail(map.get("expr", true), `expr: ${messageOf(error)}`, error);
    }
    return expr;
  }

  #checkTemplates(map: YAMLMap, key: Key, texts: LabelMap): void {
    for (const [name, source] of Object.entries(texts)) {
      try {
        void new RuleTemplate(source);
      } catch (error) {
        this.#fail(map.get(key, true), `${key}.${name}: ${messageOf(error)}`, error);
      }
    }
  }

  #map(node: unknown, what: string, keys: readonly Key[]): YAMLMap {
    if (!isMap(node)) return this.#fail(node, `${what} must be a mapping`);
    for (const { key } of node.items) {
      const name = isScalar(key) ? String(key.value) : "";
      if (!keys.includes(name))
        this.#fail(key, `${what} has no setting ${JSON.stringify(name)}: ${keys.join(", ")}`);
    }
    return node;
  }

  #list(map: YAMLMap, key: Key): readonly unknown[] {
    const node = map.get(key, true);
    if (node === undefined || (isScalar(node) && node.value === null)) return [];
    if (!isSeq(node)) return this.#fail(node, `${key} must be a list`);
    return node.items;
  }

  #text(map: YAMLMap, key: Key): string | undefined {
    const node = map.get(key, true);
    if (node === undefined) return undefined;
    if (!isScalar(node)) return this.#fail(node, `${key} must be a single value`);
    const { value } = node;
    if (value === null || value === undefined) return undefined;
    return typeof value === "string" ? value : (node.source ?? "");
  }

  #duration(map: YAMLMap, key: Key): number | undefined {
    const text = this.#text(map, key);
    if (text === undefined) return undefined;
    try {
      return parseDuration(text);
    } catch (error) {
      return this.#fail(map.get(key, true), `${key}: ${messageOf(error)}`, error);
    }
  }

  #labels(map: YAMLMap, key: Key): LabelMap {
    const node = map.get(key, true);
    if (node === undefined || (isScalar(node) && node.value === null)) return {};
    if (!isMap(node)) return this.#fail(node, `${key} must be a mapping of names to texts`);
    const labels: Record<string, string> = {};
    for (const { key: name } of node.items) {
      const text = isScalar(name) ? String(name.value) : "";
      if (!labelName.test(text) || text === "__name__")
        this.#fail(name, `${JSON.stringify(text)} cannot be used in ${key}`);
      labels[text] = this.#text(node, text) ?? "";
    }
    return labels;
  }
}
