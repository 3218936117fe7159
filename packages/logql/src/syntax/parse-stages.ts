/** Parses stream selectors and pipelines. Whatever can be found wrong without a line is found here. */
import { compileRegex, type Matcher, type MatchOp } from "@skopos/model";
import { TemplateError } from "@skopos/template";
import { parseLineTemplate } from "../template/template.ts";
import type {
  Extraction,
  LabelFilter,
  LabelFormat,
  LabelTarget,
  LineFilterOp,
  LineFilterOperand,
  LineFilterStage,
  LogSelector,
  NumberOp,
  Stage,
  Unwrap,
} from "./ast.ts";
import type { Cursor } from "./cursor.ts";
import { parseIpRange } from "./ip.ts";
import { parseJsonPath } from "./json-path.ts";
import type { Token } from "./lexer.ts";
import { patternFault } from "./pattern.ts";
import { parseBytes, parseFloat64, parseSeconds } from "./units.ts";

const lineOps: ReadonlySet<string> = new Set<LineFilterOp>(["|=", "!=", "|~", "!~", "|>", "!>"]);
const stagesMax = 200;

function isMatchOp(text: string): text is MatchOp {
  return text === "=" || text === "!=" || text === "=~" || text === "!~";
}

function isNumberOp(text: string): text is NumberOp {
  return ["==", "!=", ">", ">=", "<", "<="].includes(text);
}

function isLineOp(text: string): text is LineFilterOp {
  return lineOps.has(text);
}

/** Words of regular expressions, messages worded as Go's. */
export function checkRegex(cursor: Cursor, pattern: string, token: Token): void {
  try {
    compileRegex(pattern);
  } catch (error) {
    const reason =
      error instanceof Error && error.cause instanceof Error ? error.cause.message : "";
    const plain = reason.replace(/^error parsing regexp: /, "");
    cursor.fail(`error parsing regexp: ${plain}`, token);
  }
}

export function parseMatchers(cursor: Cursor): Matcher[] {
  const open = cursor.expect("{");
  const matchers: Matcher[] = [];
  while (!cursor.isNext("}")) {
    matchers.push(parseMatcher(cursor));
    if (!cursor.take(",")) break;
  }
  cursor.expect("}");
  if (!matchers.some(demands))
    cursor.fail(
      "queries require at least one regexp or equality matcher that does not have an empty-compatible value. " +
        'For instance, app=~".*" does not meet this requirement, but app=~".+" will',
      open,
    );
  return matchers;
}

/** Whether a matcher refuses the empty value, or is a negation. */
function demands({ op, value }: Matcher): boolean {
  if (op === "=") return value !== "";
  if (op === "=~") return !compileRegex(value).matcher("").matches();
  return false;
}

function parseMatcher(cursor: Cursor): Matcher {
  const name = cursor.word();
  const op = cursor.peek().text;
  if (cursor.peek().type !== "symbol" || !isMatchOp(op)) cursor.unexpected("= or != or =~ or !~");
  cursor.next();
  const token = cursor.peek();
  const value = cursor.string();
  if (op === "=~" || op === "!~") checkRegex(cursor, value, token);
  return { name, op, value };
}

/** One stage, if there is one. `unwrap` is left to the caller. */
export function parseStage(cursor: Cursor): Stage | undefined {
  const token = cursor.peek();
  if (token.type !== "symbol") return undefined;
  if (isLineOp(token.text)) return parseLineFilter(cursor, token.text);
  if (token.text !== "|" || isUnwrap(cursor)) return undefined;
  cursor.next();
  return parseNamedStage(cursor);
}

export function isUnwrap(cursor: Cursor): boolean {
  return cursor.isNext("|") && cursor.isNext("unwrap", 1) && cursor.peek(2).type === "word";
}

export function parseSelector(cursor: Cursor): LogSelector {
  const matchers = parseMatchers(cursor);
  const stages: Stage[] = [];
  for (let stage = parseStage(cursor); stage; stage = parseStage(cursor)) {
    stages.push(stage);
    if (stages.length > stagesMax) cursor.fail(`a query has at most ${stagesMax} stages`);
  }
  return { type: "log", matchers, stages };
}

function parseLineFilter(cursor: Cursor, op: LineFilterOp): LineFilterStage {
  cursor.next();
  const operands = [parseOperand(cursor, op)];
  while (cursor.isNext("or") && (cursor.peek(1).type === "string" || cursor.isNext("ip", 1))) {
    cursor.next();
    operands.push(parseOperand(cursor, op));
  }
  return { type: "line", op, operands };
}

function parseOperand(cursor: Cursor, op: LineFilterOp): LineFilterOperand {
  const token = cursor.peek();
  if (cursor.isNext("ip")) {
    cursor.next();
    const value = parseIpPattern(cursor);
    if (op !== "|=" && op !== "!=") cursor.fail("ip: invalid operation", token);
    return { type: "ip", value };
  }
  const value = cursor.string();
  if (op === "|~" || op === "!~") checkRegex(cursor, value, token);
  if (op === "|>" || op === "!>") {
    const fault = patternFault(value, "filter");
    if (fault !== undefined) cursor.fail(fault, token);
  }
  return { type: "text", value };
}

function parseIpPattern(cursor: Cursor): string {
  cursor.expect("(");
  const token = cursor.peek();
  const value = cursor.string();
  cursor.expect(")");
  if (!parseIpRange(value)) cursor.fail("ip: invalid pattern", token);
  return value;
}

function parseNamedStage(cursor: Cursor): Stage {
  const token = cursor.peek();
  // A label may be called like a stage: what follows tells.
  const after = cursor.peek(1);
  const isLabel =
    token.type !== "word" ||
    (after.type === "symbol" && (isMatchOp(after.text) || isNumberOp(after.text)));
  if (isLabel) return { type: "label", filter: parseLabelFilter(cursor) };
  cursor.next();
  switch (token.text) {
    case "json":
      return { type: "json", fields: parseExtractions(cursor, "json") };
    case "logfmt":
      return parseLogfmt(cursor);
    case "unpack":
    case "decolorize":
      return { type: token.text };
    case "pattern":
    case "regexp":
      return parseCapturing(cursor, token.text);
    case "line_format": {
      const place = cursor.peek();
      const template = cursor.string();
      checkTemplate(cursor, template, place);
      return { type: "line_format", template };
    }
    case "label_format":
      return { type: "label_format", formats: parseFormats(cursor) };
    case "drop":
    case "keep":
      return { type: token.text, targets: parseTargets(cursor) };
    default:
      return cursor.unexpected("= or != or =~ or !~ or == or > or >= or < or <=");
  }
}

function parseLogfmt(cursor: Cursor): Stage {
  let strict = false;
  let keepEmpty = false;
  while (cursor.peek().type === "flag") {
    const flag = cursor.next().text;
    strict ||= flag === "--strict";
    keepEmpty ||= flag === "--keep-empty";
  }
  return { type: "logfmt", strict, keepEmpty, fields: parseExtractions(cursor, "logfmt") };
}

function parseExtractions(cursor: Cursor, parser: "json" | "logfmt"): Extraction[] {
  const fields: Extraction[] = [];
  if (cursor.peek().type !== "word" || endsPipeline(cursor)) return fields;
  do {
    const token = cursor.peek();
    const name = cursor.word();
    const place = cursor.take("=") ? cursor.peek() : token;
    const expression = place === token ? name : cursor.string();
    const isGood =
      parser === "json" ? parseJsonPath(expression) !== undefined : isLogfmtKey(expression);
    if (!isGood) cursor.fail(`cannot parse expression [${expression}]`, place);
    fields.push({ name, expression });
  } while (cursor.take(","));
  return fields;
}

/** Words that may follow a pipeline are not fields of its last stage. */
function endsPipeline(cursor: Cursor): boolean {
  return ["offset", "by", "without", "and", "or", "unless"].some((word) => cursor.isNext(word));
}

function isLogfmtKey(text: string): boolean {
  return /^[^\s="]+$/.test(text);
}

function parseCapturing(cursor: Cursor, type: "pattern" | "regexp"): Stage {
  const token = cursor.peek();
  const pattern = cursor.string();
  if (type === "pattern") {
    const fault = patternFault(pattern, "stage");
    if (fault !== undefined) cursor.fail(fault, token);
    return { type, pattern };
  }
  checkRegex(cursor, pattern, token);
  const names = Object.keys(compileRegex(pattern).namedGroups());
  if (names.length === 0) cursor.fail("at least one named capture must be supplied", token);
  return { type, pattern };
}

function checkTemplate(cursor: Cursor, template: string, token: Token): void {
  try {
    parseLineTemplate(template);
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    cursor.fail(`invalid template: ${error.message}`, token);
  }
}

function parseFormats(cursor: Cursor): LabelFormat[] {
  const formats: LabelFormat[] = [];
  do {
    const token = cursor.peek();
    const name = cursor.word();
    cursor.expect("=");
    const place = cursor.peek();
    if (name === "__error__") cursor.fail("__error__ cannot be formatted", token);
    if (formats.some((format) => format.name === name))
      cursor.fail(`multiple label name '${name}' not allowed in a single format operation`, token);
    if (place.type === "word") formats.push({ name, type: "rename", value: cursor.word() });
    else {
      const value = cursor.string();
      checkTemplate(cursor, value, place);
      formats.push({ name, type: "template", value });
    }
  } while (cursor.take(","));
  return formats;
}

function parseTargets(cursor: Cursor): LabelTarget[] {
  const targets: LabelTarget[] = [];
  do {
    const after = cursor.peek(1);
    if (cursor.peek().type === "word" && after.type === "symbol" && isMatchOp(after.text)) {
      const matcher = parseMatcher(cursor);
      targets.push({ name: matcher.name, matcher });
    } else targets.push({ name: cursor.word() });
  } while (cursor.take(","));
  return targets;
}

function parseLabelFilter(cursor: Cursor): LabelFilter {
  let left = parseConjunction(cursor);
  while (cursor.take("or")) left = { type: "or", left, right: parseConjunction(cursor) };
  return left;
}

function parseConjunction(cursor: Cursor): LabelFilter {
  let left = parseLabelTerm(cursor);
  while (cursor.take("and") || cursor.take(","))
    left = { type: "and", left, right: parseLabelTerm(cursor) };
  return left;
}

function parseLabelTerm(cursor: Cursor): LabelFilter {
  if (cursor.take("(")) {
    const inner = cursor.nested(() => parseLabelFilter(cursor));
    cursor.expect(")");
    return inner;
  }
  const name = cursor.word();
  const op = cursor.peek();
  const value = cursor.peek(1);
  if (op.type === "symbol" && isMatchOp(op.text) && value.type === "string") {
    cursor.next();
    const text = cursor.string();
    if (op.text === "=~" || op.text === "!~") checkRegex(cursor, text, value);
    return { type: "text", name, op: op.text, value: text };
  }
  if ((op.text === "=" || op.text === "!=") && cursor.isNext("ip", 1)) {
    cursor.next();
    cursor.next();
    return { type: "ip", name, op: op.text, value: parseIpPattern(cursor) };
  }
  const numberOp = op.text === "=" ? "==" : op.text;
  if (op.type !== "symbol" || !isNumberOp(numberOp))
    return cursor.unexpected("= or != or =~ or !~ or == or > or >= or < or <=");
  cursor.next();
  return { name, op: numberOp, ...parseAmount(cursor) };
}

function parseAmount(cursor: Cursor): {
  type: "number" | "duration" | "bytes";
  value: number;
  text: string;
} {
  const token = cursor.peek();
  const sign = cursor.take("-") ? "-" : (cursor.take("+"), "");
  const { type, text } = cursor.peek();
  const read = {
    number: parseFloat64,
    duration: (s: string) => parseSeconds(s, true),
    bytes: parseBytes,
  };
  if (type !== "number" && type !== "duration" && type !== "bytes")
    return cursor.unexpected("BYTES or STRING or NUMBER or DURATION");
  const value = read[type](text);
  if (value === undefined)
    cursor.fail(`unable to parse literal as a ${type === "number" ? "float" : type}`, token);
  cursor.next();
  return { type, value: sign === "-" ? -value : value, text: sign + text };
}

/** `| unwrap label` or `| unwrap duration(label)`, and the filters after it. */
export function parseUnwrap(cursor: Cursor): Unwrap {
  cursor.expect("|");
  cursor.expect("unwrap");
  const token = cursor.peek();
  const name = cursor.word();
  let label = name;
  let conversion: Unwrap["conversion"];
  if (cursor.take("(")) {
    if (name !== "bytes" && name !== "duration" && name !== "duration_seconds")
      return cursor.fail(
        `syntax error: unexpected ${name}, expecting bytes or duration or duration_seconds`,
        token,
      );
    conversion = name;
    label = cursor.word();
    cursor.expect(")");
  }
  const filters: LabelFilter[] = [];
  while (cursor.isNext("|")) {
    cursor.next();
    filters.push(parseLabelFilter(cursor));
  }
  return { label, conversion, filters };
}
