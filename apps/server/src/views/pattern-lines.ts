/**
 * The lines of a mined template, as stages of LogQL. A pattern (`|>`) holds the texts that the template is made of, which an
 * index knows; a regular expression behind it sees to it that what differs is one word each, as it was for the template.
 * Templates of messages within JSON are looked for between quotes; those of JSON without a message, which are the names of
 * its fields, by these names in their order; those of access logs in JSON by the fields that they are told apart by.
 */
import { messageOf } from "@skopos/ingest";
import type { LogPattern } from "@skopos/model";

const gap = "<_>";
const accessText = '[<_>] "';
const accessJson = /^\{<_>"method":"(.*)"<_>"response_code":(\d+),"response_flags":"(.*)"<_>\}$/;
const fieldNames = /^"[^"\s]+"(?: "[^"\s]+")*$/;
/** Templates of longer texts end in a gap for all the rest. */
const wordsMax = 48;

export function patternStages({ pattern, sample = "" }: LogPattern): string {
  const isJson = sample.startsWith("{");
  const access = accessJson.exec(pattern);
  if (access) {
    const [, method = "", status = "", flags = ""] = access;
    const fields = { method, status, response_flags: flags };
    const tests = Object.entries(fields).map(([name, value]) => label(name, value));
    return `|= ${JSON.stringify('"response_code"')} ${tests.join(" ")}`;
  }
  if (pattern.startsWith(accessText) || (sample === "" && pattern !== "")) return like(pattern);
  if (isJson && fieldNames.test(pattern)) return like(` ${pattern} `.replaceAll(" ", gap));
  const words = isJson ? `"\\s*${wordsOf(pattern)}\\s*"` : `^\\s*${wordsOf(pattern)}\\s*$`;
  const byWords = `|~ ${JSON.stringify(words)}`;
  if (!isEvenlySpaced(isJson ? messageOf(sample) : sample)) return byWords;
  const whole = like(isJson ? `${gap}"${pattern}"${gap}` : pattern);
  return pattern.includes(gap) ? `${whole} ${byWords}` : whole;
}

/** "-" is written where there is nothing to say. */
const label = (name: string, value: string) =>
  `| ${name}=${JSON.stringify(value === "-" ? "" : value)}`;

/** What reads like a capture in the lines themselves is a gap too, and gaps must not meet. */
function like(pattern: string): string {
  const gaps = pattern.replaceAll(/<[a-zA-Z_]\w*>/g, gap).replaceAll(/(?:<_>)+/g, gap);
  return `|> ${JSON.stringify(gaps)}`;
}

function wordsOf(pattern: string): string {
  const words = pattern.split(" ");
  const last = words.length - 1;
  return words
    .map((word, i) => {
      if (i === wordsMax && i === last && word === gap) return "[\\s\\S]*";
      const texts = word.split(gap).map((text) => text.replaceAll(/[\\^$.|?*+()[\]{}]/g, "\\$&"));
      return texts.join("\\S+");
    })
    .join("\\s+");
}

/** Templates have one space between words; a pattern takes spaces as they are written. */
const isEvenlySpaced = (text: string) => /^\S+(?: \S+)*$/.test(text);
