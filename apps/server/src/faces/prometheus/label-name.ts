/**
 * Label names in paths: a name that no URL should carry as it is comes escaped, `U__` in front, `_` doubled, any other
 * character outside [a-zA-Z0-9:] as `_` + hex code point + `_`. Source: Prometheus, "Escaping schemes".
 */
const codePointMax = 0x10ffff;

/** The name itself; what is not a valid escaped form stands for itself. */
export function unescapeLabelName(name: string): string {
  if (!name.startsWith("U__")) return name;
  const body = name.slice(3);
  let out = "";
  let at = 0;
  while (at < body.length) {
    if (body[at] !== "_") out += body[at++] ?? "";
    else if (body[at + 1] === "_") {
      out += "_";
      at += 2;
    } else {
      const match = /^_([0-9A-Fa-f]{1,6})_/.exec(body.slice(at));
      const code = parseInt(match?.[1] ?? "", 16);
      if (!match || code > codePointMax || (code >= 0xd800 && code <= 0xdfff)) return name;
      out += String.fromCodePoint(code);
      at += match[0].length;
    }
  }
  return out;
}
