/** The simple part of LogQL that chips can hold: equality matchers, "line contains" and "line is like a pattern". */
export interface LogForm {
  readonly labels: readonly (readonly [name: string, value: string])[];
  readonly contains: readonly string[];
  /** Patterns, in which `<_>` stands for anything. */
  readonly like: readonly string[];
}

/** Every stream; LogQL wants at least one matcher that does not match the empty text. */
export const everyStream = '{namespace=~".+"}';

export function defaultLogQuery(namespace: string | undefined): string {
  return namespace === undefined ? everyStream : `{namespace=${JSON.stringify(namespace)}}`;
}

export function writeLogForm({ labels, contains, like }: LogForm): string {
  const selector =
    labels.length === 0
      ? everyStream
      : `{${labels.map(([name, value]) => `${name}=${JSON.stringify(value)}`).join(", ")}}`;
  return [
    selector,
    ...contains.map((text) => `|= ${JSON.stringify(text)}`),
    ...like.map((pattern) => `|> ${JSON.stringify(pattern)}`),
  ].join(" ");
}

function unquote(text: string): string | null {
  if (text.startsWith("`")) return text.slice(1, -1);
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "string" ? value : null;
  } catch {
    return null; // An escape that JSON does not know: leave it as text.
  }
}

const matcher = /^\s*([a-zA-Z_]\w*)\s*=\s*("(?:[^"\\]|\\.)*"|`[^`]*`)\s*(?:,|$)/;
const filter = /^\s*(\|[=>])\s*("(?:[^"\\]|\\.)*"|`[^`]*`)/;

function readLabels(inside: string): LogForm["labels"] | null {
  const labels: [string, string][] = [];
  let rest = inside;
  while (rest.trim() !== "") {
    const found = matcher.exec(rest);
    const value = found?.[2] === undefined ? null : unquote(found[2]);
    if (!found || found[1] === undefined || value === null) return null;
    labels.push([found[1], value]);
    rest = rest.slice(found[0].length);
  }
  return labels;
}

/** `null` when the query says more than chips can show. */
export function readLogForm(query: string): LogForm | null {
  const text = query.trim();
  const selector = /^\{((?:[^"`}]|"(?:[^"\\]|\\.)*"|`[^`]*`)*)\}/.exec(text);
  if (!selector) return null;
  const every = selector[0].replaceAll(/\s/g, "") === everyStream;
  const labels = every ? [] : readLabels(selector[1] ?? "");
  if (labels === null) return null;
  const contains: string[] = [];
  const like: string[] = [];
  let rest = text.slice(selector[0].length);
  while (rest.trim() !== "") {
    const found = filter.exec(rest);
    const value = found?.[2] === undefined ? null : unquote(found[2]);
    if (!found || value === null) return null;
    (found[1] === "|>" ? like : contains).push(value);
    rest = rest.slice(found[0].length);
  }
  return { labels, contains, like };
}

/** Narrows a query by a label; `null` when the query is no form. */
export function withLabel(query: string, name: string, value: string): string | null {
  const form = readLogForm(query);
  if (!form) return null;
  const others = form.labels.filter(([other]) => other !== name);
  return writeLogForm({ ...form, labels: [...others, [name, value]] });
}

const pieceCharsMin = 3;

/**
 * Narrows a query to lines like a pattern. Patterns of whole lines (access logs) are written as such; those of messages, which
 * stand somewhere within their lines, by the texts they are made of. A query that is no form is written on.
 */
export function withPattern(query: string, pattern: string): string {
  const whole = pattern.startsWith("{<_>") || pattern.startsWith("[");
  const like = whole ? [pattern] : [];
  const pieces = pattern.split("<_>").map((piece) => piece.trim());
  const contains = whole ? [] : pieces.filter((piece) => piece.length >= pieceCharsMin);
  const form = readLogForm(query);
  if (form) return writeLogForm({ ...form, contains, like });
  const more = writeLogForm({ labels: [], contains, like }).slice(everyStream.length);
  return `${query.trim()}${more}`;
}

/** The streams with exactly these labels. */
export function streamQuery(labels: Readonly<Record<string, string>>): string {
  const matchers = Object.entries(labels).map(
    ([name, value]) => `${name}=${JSON.stringify(value)}`,
  );
  return `{${matchers.join(", ")}}`;
}
