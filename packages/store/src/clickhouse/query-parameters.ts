/**
 * ClickHouse's bound parameters, `{name:Type}` in the query and `param_name` beside it, put into the text as a cast of a
 * quoted literal: what the server itself makes of them. The embedded engine's own binding serves one query at a time in
 * the whole process, so a slow query would hold up every other.
 * Values come in ClickHouse's escaped form (a backslash begins \t \n \r \0 \\ \'), as HTTP clients send them.
 */
import { SkoposError } from "@skopos/model";

const placeholder = /\{\s*([A-Za-z_]\w*)\s*:\s*([^{}]+?)\s*\}/y;
const typePattern = /^[A-Za-z][\w(), '.=-]*$/;
const quotes = new Set(["'", '"', "`"]);

function badParameter(message: string): SkoposError {
  return new SkoposError("bad-query", message);
}

function literal(name: string, type: string, value: string): string {
  if (!typePattern.test(type)) throw badParameter(`parameter ${name}: not a type: ${type}`);
  if (type === "Identifier") {
    if (/[`\\]/.test(value)) throw badParameter(`parameter ${name}: not an identifier`);
    return `\`${value}\``;
  }
  if (value === "\\N") return `CAST(NULL, '${type.replaceAll("'", "\\'")}')`;
  // The escaped form is that of a quoted literal, but for quotes that were left as they are and a last lone backslash.
  const quoted = value.replaceAll(/\\(?:[\s\S]|$)|'/g, (found) =>
    found === "'" ? "\\'" : found === "\\" ? "\\\\" : found,
  );
  if (type === "String") return `'${quoted}'`;
  // In a container only its elements are escaped, each within its own quotes; the whole is plain text.
  const text = /\b(?:Array|Map|Tuple)\(/.test(type)
    ? `'${value.replaceAll(/[\\']/g, "\\$&")}'`
    : `'${quoted}'`;
  return `CAST(${text}, '${type.replaceAll("'", "\\'")}')`;
}

/** The end of a quoted string or comment that begins at `start`; `start` itself when none does. */
function endOfQuiet(query: string, start: number): number {
  const char = query.charAt(start);
  if (quotes.has(char)) {
    for (let i = start + 1; i < query.length; i++) {
      if (query[i] === "\\") i++;
      else if (query[i] === char) return i + 1;
    }
    return query.length;
  }
  const two = query.slice(start, start + 2);
  if (two === "--" || two === "/*") {
    const [mark, size] = two === "--" ? ["\n", 1] : ["*/", 2];
    const end = query.indexOf(mark, start + 2);
    return end < 0 ? query.length : end + size;
  }
  return start;
}

/** The query with every `{name:Type}` outside quotes and comments replaced. Throws "bad-query" when a value is missing. */
export function bindParameters(query: string, values: ReadonlyMap<string, string>): string {
  if (!query.includes("{")) return query;
  let bound = "";
  let position = 0;
  while (position < query.length) {
    const end = endOfQuiet(query, position);
    if (end > position) {
      bound += query.slice(position, end);
      position = end;
      continue;
    }
    placeholder.lastIndex = position;
    const found = query[position] === "{" ? placeholder.exec(query) : null;
    if (!found) {
      bound += query[position++];
      continue;
    }
    const [whole, name = "", type = ""] = found;
    const value = values.get(name);
    if (value === undefined) throw badParameter(`Substitution \`${name}\` is not set`);
    bound += literal(name, type, value);
    position += whole.length;
  }
  return bound;
}
