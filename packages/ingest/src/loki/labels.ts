/** Reads a stream's label text as Loki's push format carries it: `{app="x", level="info"}`. */
import { unquoteGo } from "@skopos/model";
import { IngestError } from "../errors.ts";

const pair = /\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*=\s*("(?:[^"\\\n]|\\.)*"|`[^`]*`)\s*(,|\})/y;

/** Throws "bad-labels". */
export function parseStreamLabels(text: string): Record<string, string> {
  const labels: Record<string, string> = {};
  if (/^\s*\{\s*\}\s*$/.test(text)) return labels;
  const open = /^\s*\{/.exec(text);
  if (!open) return fail(text, 0, "expected {");
  let at = open[0].length;
  for (;;) {
    pair.lastIndex = at;
    const match = pair.exec(text);
    if (!match) return fail(text, at, 'expected name="value" and a comma or }');
    const [, name = "", raw = "", end] = match;
    if (name in labels) return fail(text, at, `label ${name} is given twice`);
    labels[name] = unquoteGo(raw) ?? fail(text, at, `cannot read ${raw}`);
    at = pair.lastIndex;
    if (end !== "}") continue;
    if (text.slice(at).trim() !== "") return fail(text, at, "text after }");
    return labels;
  }
}

function fail(text: string, at: number, reason: string): never {
  const shown = text.length > 200 ? `${text.slice(0, 200)}…` : text;
  throw new IngestError(
    "bad-labels",
    `stream labels ${JSON.stringify(shown)}, character ${at + 1}: ${reason}`,
  );
}
