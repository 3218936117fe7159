/**
 * Masks secrets in spans and log lines on their way in, so that they are never written. A scan for runs of three characters
 * and, where it finds one, the expressions of all rules in one decide whether any rule can have something to do with a
 * text, which for nearly every text none has. Every masking is counted by its rule.
 */
import {
  type Attributes,
  type AttributeValue,
  compileRegex,
  type LabelMap,
  type LogRecord,
  SkoposError,
  type Span,
  type SpanEvent,
} from "@skopos/model";
import { type BuiltInRule, builtInRules, mask } from "./built-in.ts";
import { TripleScan } from "./triple-scan.ts";

export interface MaskingRule {
  readonly name: string;
  /** The field whose value is masked, without regard to case; `*` stands for any characters. Absent: every text. */
  readonly key?: string | undefined;
  /** RE2: what of the value or text is masked. Absent: the whole value of `key`. */
  readonly pattern?: string | undefined;
  /** `$1` stands for the pattern's first group. */
  readonly replace?: string | undefined;
}

export interface MaskingSettings {
  /** All built-in rules but the optional ones, none, or those named. */
  readonly defaults: boolean | readonly string[];
  readonly rules: readonly MaskingRule[];
}

/** Throws what a masker of these settings would throw. */
export function checkMasking(settings: MaskingSettings): void {
  new Masker(settings).text("");
}

/** Names of the built-in rules, the optional ones too. */
export const maskingRuleNames: readonly string[] = builtInRules.map(({ name }) => name);

/** How a rule changes a text; undefined when there is nothing for it. */
type TextRule = (text: string) => string | undefined;
interface KeyRule {
  readonly name: string;
  readonly matches: (key: string) => boolean;
  readonly change: TextRule;
}

/** What is known of a field's name: names are few and come again and again. */
interface KnownKey {
  readonly rule: KeyRule | null;
  /** The last value that no rule had anything to do with: most come again at once. */
  clean: string;
}

const keysMax = 10_000;
/** Of longer values none is held. */
const heldCharsMax = 256;

export class Masker {
  /** How often each rule masked something. */
  readonly counts: Record<string, number> = {};
  readonly #texts: { readonly name: string; readonly change: TextRule }[] = [];
  readonly #keys: KeyRule[] = [];
  readonly #known = new Map<string, KnownKey>();
  readonly #trigger: RegExp | undefined;
  /** Undefined when a rule is of texts that have no three characters in common. */
  readonly #scan: TripleScan | undefined;

  /** Throws "bad-regex", and "bad-config" for a rule that says nothing or a default that there is not. */
  constructor(settings: MaskingSettings) {
    const { defaults, rules } = settings;
    const named = Array.isArray(defaults) ? defaults : undefined;
    const unknown = named?.find((name) => !maskingRuleNames.includes(name));
    if (unknown !== undefined)
      throw new SkoposError(
        "bad-config",
        `there is no masking rule ${JSON.stringify(unknown)}: choose from ${maskingRuleNames.join(", ")}`,
      );
    const chosen = builtInRules.filter(({ name, optional }) =>
      named ? named.includes(name) : defaults === true && !optional,
    );
    for (const rule of chosen) this.#addBuiltIn(rule);
    const triggers = chosen.flatMap(({ trigger }) => (trigger ? [trigger.source] : []));
    // Rules of the configuration bring their own, where their pattern has a text that must occur.
    const literals = rules.map(({ key, pattern }) =>
      key === undefined && pattern !== undefined ? (requiredText(pattern) ?? "") : undefined,
    );
    for (const rule of rules) this.#addRule(rule);
    if (this.#texts.length > 0)
      this.#trigger = literals.includes("")
        ? /(?:)/
        : new RegExp(
            [...triggers, ...literals.flatMap((text) => (text ? [escaped(text)] : []))].join("|"),
          );
    this.#scan = scanOf(chosen, literals);
    for (const { name } of [...this.#texts, ...this.#keys]) this.counts[name] = 0;
  }

  text(text: string): string {
    if (!this.#trigger || this.#scan?.mayMatch(text) === false || !this.#trigger.test(text))
      return text;
    let result = text;
    for (const { name, change } of this.#texts) {
      const changed = change(result);
      if (changed === undefined || changed === result) continue;
      this.#count(name);
      result = changed;
    }
    return result;
  }

  /** The same object when nothing is masked. */
  pairs(pairs: LabelMap): LabelMap {
    let changed: Record<string, string> | undefined;
    for (const key in pairs) {
      const value = pairs[key] ?? "";
      const masked = this.#value(key, value);
      if (masked !== value) (changed ??= { ...pairs })[key] = masked;
    }
    return changed ?? pairs;
  }

  /** As `pairs`. */
  attributes(attributes: Attributes): Attributes {
    let changed: Record<string, AttributeValue> | undefined;
    for (const key in attributes) {
      const value = attributes[key];
      if (value === undefined || typeof value === "boolean") continue;
      const masked = this.#attribute(key, value);
      if (masked !== value) (changed ??= { ...attributes })[key] = masked;
    }
    return changed ?? attributes;
  }

  line(record: LogRecord): LogRecord {
    const line = this.text(record.line);
    const metadata = this.pairs(record.metadata);
    if (line === record.line && metadata === record.metadata) return record;
    return { ...record, line, metadata };
  }

  span(span: Span): Span {
    const name = this.text(span.name);
    const statusMessage = this.text(span.statusMessage);
    const attributes = this.attributes(span.attributes);
    const events = this.#events(span.events);
    const scoped = span.scopeAttributes && this.attributes(span.scopeAttributes);
    if (
      name === span.name &&
      statusMessage === span.statusMessage &&
      attributes === span.attributes &&
      events === span.events &&
      scoped === span.scopeAttributes
    )
      return span;
    const masked = { ...span, name, statusMessage, attributes, events };
    return scoped ? { ...masked, scopeAttributes: scoped } : masked;
  }

  #events(events: readonly SpanEvent[]): readonly SpanEvent[] {
    let changed: SpanEvent[] | undefined;
    for (const [i, event] of events.entries()) {
      const attributes = this.attributes(event.attributes);
      if (attributes !== event.attributes) (changed ??= [...events])[i] = { ...event, attributes };
    }
    return changed ?? events;
  }

  #attribute(key: string, value: AttributeValue): AttributeValue {
    if (typeof value === "string") return this.#value(key, value);
    const { rule } = this.#key(key);
    if (typeof value === "number" || typeof value === "boolean") {
      return rule ? this.#value(key, String(value)) : value;
    }
    const masked = value.map((item) => this.#attribute(key, item));
    return masked.some((item, i) => item !== value[i]) ? masked : value;
  }

  #value(key: string, value: string): string {
    const known = this.#key(key);
    const { rule } = known;
    if (!rule) {
      if (value === known.clean) return value;
      const masked = this.text(value);
      if (masked === value && value.length <= heldCharsMax) known.clean = value;
      return masked;
    }
    const changed = rule.change(value);
    if (changed === undefined || changed === value) return this.text(value);
    this.#count(rule.name);
    return changed;
  }

  #count(name: string): void {
    this.counts[name] = (this.counts[name] ?? 0) + 1;
  }

  #key(key: string): KnownKey {
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const found = {
      rule: this.#keys.find(({ matches }) => matches(key)) ?? null,
      clean: "",
    };
    if (this.#known.size >= keysMax) this.#known.clear();
    this.#known.set(key, found);
    return found;
  }

  #addBuiltIn({ name, keys, trigger, find, replace }: BuiltInRule): void {
    if (keys) {
      const change = (value: string) => (value === "" ? undefined : mask);
      this.#keys.push({ name, matches: (key) => namesSecret(key, keys), change });
    }
    if (!trigger || !find || !replace) return;
    const change = (text: string) => {
      if (!trigger.test(text)) return undefined;
      return text.replace(find, (match: string, ...groups: (string | undefined)[]) => {
        return replace(match, groups) ?? match;
      });
    };
    this.#texts.push({ name, change });
  }

  #addRule(rule: MaskingRule): void {
    const { name, key, pattern, replace = mask } = rule;
    if (key === undefined && pattern === undefined)
      throw new SkoposError("bad-config", `masking rule ${name}: needs a key, a pattern or both`);
    const change = pattern === undefined ? () => replace : patternChange(pattern, replace);
    if (key === undefined) {
      this.#texts.push({ name, change });
      return;
    }
    const glob = new RegExp(`^${key.split("*").map(escaped).join(".*")}$`, "i");
    // Before the built-in ones: who writes a rule for a field means it.
    this.#keys.unshift({ name, matches: (found) => glob.test(found), change });
  }
}

/** `literals`: what matches of the rules of the configuration hold, "" for nothing; undefined where they look at no text. */
function scanOf(
  chosen: readonly BuiltInRule[],
  literals: readonly (string | undefined)[],
): TripleScan | undefined {
  const triples: string[] = [];
  for (const { trigger, triples: own } of chosen) {
    if (trigger && !own) return undefined;
    triples.push(...(own ?? []));
  }
  for (const literal of literals) {
    if (literal === undefined) continue;
    if (literal.length < 3) return undefined;
    triples.push(literal);
  }
  return new TripleScan(triples);
}

function patternChange(pattern: string, replace: string): TextRule {
  const expression = compileRegex(pattern);
  const literal = requiredText(pattern);
  return (text) => {
    if (literal !== undefined && !text.includes(literal)) return undefined;
    return expression.matcher(text).replaceAll(replace);
  };
}

/** Whether the field's name, or the end of it, is one of `names`. */
function namesSecret(key: string, names: readonly string[]): boolean {
  const plain = key.toLowerCase().replaceAll(/[.-]/g, "_");
  return names.some((name) => plain === name || plain.endsWith(`_${name}`));
}

function escaped(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|/]/g, String.raw`\$&`);
}

/** A text that every match of the pattern holds, where that is plain to see: the longest run of ordinary characters. */
function requiredText(pattern: string): string | undefined {
  // Alternatives, groups and flags would need a parser.
  if (/\||\)[?*{]|\(\?/.test(pattern)) return undefined;
  const bare = pattern.replaceAll(/\[(?:\\.|[^\]\\])*\]|\\./g, "\u0000");
  const runs = bare.match(/(?:[A-Za-z0-9 _:/@=<>#%&;,"'!~-](?![?*{]))+/g) ?? [];
  const outside = runs.filter((run) => !/^\d+$/.test(run) || !bare.includes("{"));
  const longest = outside.reduce((best, run) => (run.length > best.length ? run : best), "");
  return longest.length >= 2 ? longest : undefined;
}
