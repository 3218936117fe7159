/** Quoted literals of Go, as PromQL's relatives and templates write them. Source: the Go specification, string literals. */
const escape =
  /\\(?:x([0-9a-fA-F]{2})|([0-7]{3})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([abfnrtv\\"'])|)/y;
const letters: Readonly<Record<string, string>> = {
  a: "\u0007",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
};

/** The text a quoted literal of Go stands for; undefined when an escape is not one of Go's. */
export function unquoteGo(literal: string): string | undefined {
  if (literal.startsWith("`")) return literal.slice(1, -1);
  const body = literal.slice(1, -1);
  if (!body.includes("\\")) return body;
  let text = "";
  let bytes: number[] = [];
  const flush = () => {
    if (bytes.length > 0) text += new TextDecoder().decode(Uint8Array.from(bytes));
    bytes = [];
  };
  for (let at = 0; at < body.length;) {
    if (body[at] !== "\\") {
      flush();
      text += body[at];
      at++;
      continue;
    }
    escape.lastIndex = at;
    const match = escape.exec(body);
    const [whole = "\\", hex, octal, unit, point, letter] = match ?? [];
    if (whole.length < 2) return undefined;
    at += whole.length;
    if (hex !== undefined || octal !== undefined) {
      bytes.push(
        hex === undefined ? Number.parseInt(octal ?? "0", 8) & 255 : Number.parseInt(hex, 16),
      );
      continue;
    }
    flush();
    if (letter !== undefined) text += letters[letter] ?? letter;
    else {
      const code = Number.parseInt(unit ?? point ?? "0", 16);
      if (code > 0x10ffff) return undefined;
      text += String.fromCodePoint(code);
    }
  }
  flush();
  return text;
}
