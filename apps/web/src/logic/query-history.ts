import { matchesWords } from "./offers.ts";

/** Queries run before, newest first, without repeats. */
export const historyMax = 50;

export function readHistory(text: string | null): string[] {
  if (text === null) return [];
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value)
      ? value.filter((one) => typeof one === "string").slice(0, historyMax)
      : [];
  } catch {
    return []; // Written by hand or by another version: begin anew.
  }
}

export function addToHistory(history: readonly string[], query: string): string[] {
  const said = query.trim();
  if (said === "") return [...history];
  return [said, ...history.filter((other) => other !== said)].slice(0, historyMax);
}

/** Those that hold every word, in any order and case. */
export function searchHistory(history: readonly string[], words: string): string[] {
  const wanted = words.trim();
  return wanted === "" ? [...history] : history.filter((query) => matchesWords(query, wanted));
}

/** The offset of a line and column (from 1) in a text. */
export function offsetOf(text: string, line: number, column: number): number {
  const lines = text.split("\n");
  const before = lines.slice(0, line - 1).reduce((sum, one) => sum + one.length + 1, 0);
  return Math.min(text.length, before + Math.max(0, column - 1));
}
