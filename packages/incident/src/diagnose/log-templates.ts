/**
 * Log templates after Drain (He et al., ICWS 2017), simplified: lines are grouped by length and first word, and joined when
 * half of their words agree; words with digits are variables from the start. Bounded: beyond `templatesMax` a line falls
 * into the template "(others)".
 */

const templatesMax = 500;
const similarityMin = 0.5;
const wordsMax = 40;

export interface LogTemplate {
  words: string[];
  count: number;
  readonly example: string;
}

/** The message of a line: of JSON its message field, else the line itself. */
export function messageOfLine(line: string): string {
  if (!line.startsWith("{")) return line;
  try {
    const json: unknown = JSON.parse(line);
    if (typeof json !== "object" || json === null) return line;
    for (const field of ["msg", "message", "error", "err"]) {
      const value = Reflect.get(json, field) as unknown;
      if (typeof value === "string" && value !== "") return value;
    }
  } catch {
    // Looks like JSON and is not: then it is text.
  }
  return line;
}

const isVariable = (word: string) => /\d/.test(word) || word.length > 40;

export class TemplateMiner {
  readonly #groups = new Map<string, LogTemplate[]>();
  #count = 0;

  add(line: string): void {
    const words = messageOfLine(line)
      .split(/\s+/)
      .filter((word) => word !== "")
      .slice(0, wordsMax)
      .map((word) => (isVariable(word) ? "<*>" : word));
    const key = `${words.length}|${words[0] ?? ""}`;
    const group = this.#groups.get(key) ?? [];
    let best: LogTemplate | undefined;
    let bestSimilarity = similarityMin;
    for (const template of group) {
      const same = template.words.filter((word, i) => word === words[i]).length;
      const similarity = words.length === 0 ? 1 : same / words.length;
      if (similarity >= bestSimilarity) {
        best = template;
        bestSimilarity = similarity;
      }
    }
    if (best) {
      best.words = best.words.map((word, i) => (word === words[i] ? word : "<*>"));
      best.count++;
      return;
    }
    if (this.#count >= templatesMax) return;
    this.#count++;
    group.push({ words, count: 1, example: line });
    this.#groups.set(key, group);
  }

  /** Commonest first. */
  get templates(): readonly LogTemplate[] {
    return [...this.#groups.values()].flat().sort((a, b) => b.count - a.count);
  }
}

export const patternOf = (template: LogTemplate) => template.words.join(" ");
