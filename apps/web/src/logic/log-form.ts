type Pairs = readonly (readonly [name: string, value: string])[];

/** A pattern, in which `<_>` stands for anything, and a regular expression right behind it that narrows what that may be. */
interface Like {
  readonly pattern: string;
  readonly words: string | null;
}

/** The simple part of LogQL that chips can hold: equality of labels and fields, and what a line contains or is like. */
export interface LogForm {
  readonly labels: Pairs;
  readonly contains: readonly string[];
  readonly like: readonly Like[];
  /** Regular expressions. */
  readonly matches: readonly string[];
  /** Of the line itself, such as `status`. */
  readonly fields: Pairs;
}

/** Every stream; LogQL wants at least one matcher that does not match the empty text. */
export const everyStream = '{namespace=~".+"}';

export function defaultLogQuery(namespace: string | undefined): string {
  return namespace === undefined ? everyStream : `{namespace=${JSON.stringify(namespace)}}`;
}

export function writeLogForm({ labels, contains, like, matches, fields }: LogForm): string {
  const selector =
    labels.length === 0
      ? everyStream
      : `{${labels.map(([name, value]) => `${name}=${JSON.stringify(value)}`).join(", ")}}`;
  return [
    selector,
    ...contains.map((text) => `|= ${JSON.stringify(text)}`),
    ...like.map(
      ({ pattern, words }) =>
        `|> ${JSON.stringify(pattern)}${words === null ? "" : ` |~ ${JSON.stringify(words)}`}`,
    ),
    ...matches.map((pattern) => `|~ ${JSON.stringify(pattern)}`),
    ...fields.map(([name, value]) => `| ${name}=${JSON.stringify(value)}`),
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
const filter = /^\s*(\|[=>~])\s*("(?:[^"\\]|\\.)*"|`[^`]*`)/;
const field = /^\s*\|\s*([a-zA-Z_]\w*)\s*=\s*("(?:[^"\\]|\\.)*"|`[^`]*`)(?=\s*(?:\||$))/;

function readLabels(inside: string): Pairs | null {
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
  const selector = selectorOnly.exec(text);
  if (!selector) return null;
  const every = selector[0].replaceAll(/\s/g, "") === everyStream;
  const labels = every ? [] : readLabels(selector[0].slice(1, -1));
  if (labels === null) return null;
  const stages = readStages(text.slice(selector[0].length));
  return stages && { labels, ...stages };
}

function readStages(text: string): Omit<LogForm, "labels"> | null {
  const contains: string[] = [];
  const like: Like[] = [];
  const matches: string[] = [];
  const fields: [string, string][] = [];
  let before = "";
  let rest = text;
  while (rest.trim() !== "") {
    const found = filter.exec(rest) ?? field.exec(rest);
    const [all = "", what = "", quoted = ""] = found ?? [];
    const value = unquote(quoted);
    if (!found || value === null) return null;
    const last = like.at(-1);
    if (what === "|=") contains.push(value);
    else if (what === "|>") like.push({ pattern: value, words: null });
    else if (what !== "|~") fields.push([what, value]);
    else if (before === "|>" && last) like.splice(-1, 1, { ...last, words: value });
    else matches.push(value);
    before = what;
    rest = rest.slice(all.length);
  }
  return { contains, like, matches, fields };
}

/** Narrows a query by a label; `null` when the query is no form. */
export function withLabel(query: string, name: string, value: string): string | null {
  const form = readLogForm(query);
  if (!form) return null;
  const others = form.labels.filter(([other]) => other !== name);
  return writeLogForm({ ...form, labels: [...others, [name, value]] });
}

const selectorOnly = /^\s*\{(?:[^"`}]|"(?:[^"\\]|\\.)*"|`[^`]*`)*\}/;

/** The streams of a query, and of them the lines that the stages let through. */
export function ofStreams(query: string, stages: string): string {
  return `${selectorOnly.exec(query)?.[0].trim() ?? query.trim()} ${stages}`;
}

const accessPatterns = [
  /^\{<_>"method":"(.*)"<_>"response_code":(\d+),"response_flags":"(.*)"<_>\}$/,
  /^\[<_>\] "(\S+) <_>" (\d+) (\S+) <_>$/,
];

/** A pattern as it is shown: those of access logs like the lines themselves, "GET <_> → 503 UH". */
export function shownPattern(pattern: string): string {
  for (const access of accessPatterns) {
    const [, method, status, flags] = access.exec(pattern) ?? [];
    if (status !== undefined)
      return `${method} <_> → ${status === "0" ? "no answer" : status}${flags === "-" ? "" : ` ${flags}`}`;
  }
  return pattern;
}

/** The streams with exactly these labels. */
export function streamQuery(labels: Readonly<Record<string, string>>): string {
  const matchers = Object.entries(labels).map(
    ([name, value]) => `${name}=${JSON.stringify(value)}`,
  );
  return `{${matchers.join(", ")}}`;
}
