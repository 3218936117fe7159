/** Label matchers and vector selectors: `name{label="value", "quoted name"=~"…"}`. */
import type { Matcher, MatchOp } from "@skopos/model";
import { compileMatcher, messageOf, metricNameLabel } from "@skopos/model";
import type { VectorSelector } from "./ast.ts";
import type { Cursor } from "./cursor.ts";

const matchOps: ReadonlySet<string> = new Set(["=", "!=", "=~", "!~"]);

function isMatchOp(text: string): text is MatchOp {
  return matchOps.has(text);
}

/** At an identifier, a quoted name in braces, or an opening brace. */
export function parseVectorSelector(cursor: Cursor): VectorSelector {
  const start = cursor.token.start;
  let name = "";
  if (cursor.token.kind === "identifier") name = cursor.take().text;
  const inner: Matcher[] = [];
  if (cursor.takeOp("{")) {
    while (!cursor.takeOp("}")) {
      const quoted = parseMatcher(cursor, inner);
      if (quoted !== undefined) {
        if (name) {
          const span = { start: cursor.lastEnd - 1, end: cursor.lastEnd };
          cursor.fail(
            span,
            `metric name must not be set twice: ${JSON.stringify(name)} or ${JSON.stringify(quoted)}`,
          );
        }
        name = quoted;
      }
      if (!cursor.takeOp(",") && !cursor.atOp("}"))
        cursor.unexpected("label matching", '"," or "}"');
    }
  }
  const span = { start, end: cursor.lastEnd };
  const named = inner.find((matcher) => matcher.name === metricNameLabel && matcher.op === "=");
  if (name && named) {
    cursor.fail(
      span,
      `metric name must not be set twice: ${JSON.stringify(name)} or ${JSON.stringify(named.value)}`,
    );
  }
  const matchers: Matcher[] = name
    ? [{ op: "=", name: metricNameLabel, value: name }, ...inner]
    : inner;
  return {
    kind: "vector-selector",
    ...span,
    name,
    matchers,
    offset: undefined,
    at: undefined,
    extend: undefined,
  };
}

/** Adds one matcher, or returns the metric name when the braces hold one in quotes. */
function parseMatcher(cursor: Cursor, into: Matcher[]): string | undefined {
  const label = cursor.token;
  if (label.kind !== "identifier" && label.kind !== "string")
    cursor.unexpected("label matching", 'identifier or "}"');
  if (label.kind === "identifier" && label.text.includes(":"))
    cursor.unexpected("label matching", "label name");
  cursor.take();
  if (label.kind === "string" && (cursor.atOp(",") || cursor.atOp("}"))) return label.text;
  const op = cursor.token;
  if (op.kind !== "op" || !isMatchOp(op.text))
    return cursor.unexpected("label matching", "label matching operator");
  cursor.take();
  const value = cursor.token;
  if (value.kind !== "string") cursor.unexpected("label matching", "string");
  cursor.take();
  const matcher = { op: op.text, name: label.text, value: value.text };
  try {
    compileMatcher(matcher);
  } catch (error) {
    cursor.fail(value, messageOf(error));
  }
  into.push(matcher);
  return undefined;
}
