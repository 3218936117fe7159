/** Cuts a log line into the words that templates are made of, with what varies by nature written as `<*>`. */

export const wildcard = "<*>";
/** Words of a line that are looked at; what follows is one wildcard. */
const wordsMax = 48;
const wordCharsMax = 128;
const lineCharsMax = 4096;

const messageField =
  /"(?:message|msg|log|event|error|err)"\s{0,4}:\s{0,4}"((?:[^"\\]|\\.){1,2048})"/;

/** The text that says what happened: of JSON its message, else the line. */
export function messageOf(line: string): string {
  const text = line.length > lineCharsMax ? line.slice(0, lineCharsMax) : line;
  if (text.charCodeAt(0) !== 0x7b) return text;
  return messageField.exec(text)?.[1] ?? fieldsOf(text);
}

/** JSON without a message is told by the names of its fields. */
function fieldsOf(text: string): string {
  const names = text.match(/"[A-Za-z_][\w.-]{0,40}"(?=\s{0,4}:)/g) ?? [];
  return names.slice(0, wordsMax).join(" ");
}

/** Appends the words to `words`, which is emptied first. */
export function wordsOf(text: string, words: string[]): void {
  words.length = 0;
  const { length } = text;
  for (let at = 0; at < length;) {
    while (at < length && text.charCodeAt(at) <= 0x20) at++;
    if (at >= length) return;
    let end = at;
    let digits = false;
    let assigned = -1;
    for (; end < length; end++) {
      const code = text.charCodeAt(end);
      if (code <= 0x20) break;
      if (code >= 0x30 && code <= 0x39) digits = true;
      else if (code === 0x3d && assigned < 0) assigned = end;
    }
    if (words.length === wordsMax) {
      words.push(wildcard);
      return;
    }
    words.push(wordOf(text, at, end, digits, assigned));
    at = end;
  }
}

function wordOf(
  text: string,
  start: number,
  end: number,
  digits: boolean,
  assigned: number,
): string {
  // `name=value`: the name says something, the value varies when it is a number, a text in quotes, or long.
  if (assigned > start && end - assigned > 1) {
    const value = text.charCodeAt(assigned + 1);
    const name = text.slice(start, Math.min(assigned + 1, start + wordCharsMax));
    if (digits || value === 0x22 || end - assigned > 24) return `${name}${wildcard}`;
  }
  if (!digits)
    return end - start > wordCharsMax
      ? wildcard
      : (hexWord(text, start, end) ?? text.slice(start, end));
  const slash = text.indexOf("/", start);
  if (slash >= 0 && slash < end && end - start <= wordCharsMax)
    return pathWord(text.slice(start, end));
  return varies(text, start, end) ? framed(text, start, end) : text.slice(start, end);
}

/** Of a path, the parts that vary. */
function pathWord(word: string): string {
  const parts = word.split("/").map((part) => {
    if (!/\d/.test(part) || !varies(part, 0, part.length)) return part;
    return framed(part, 0, part.length);
  });
  return parts.join("/");
}

/** Ids of letters alone are rare but come: sixteen and more hexadecimal letters are no word. */
function hexWord(text: string, start: number, end: number): string | undefined {
  if (end - start < 16) return undefined;
  for (let at = start; at < end; at++) if (!isHex(text.charCodeAt(at))) return undefined;
  return wildcard;
}

function isHex(code: number): boolean {
  return (code >= 0x30 && code <= 0x39) || ((code | 0x20) >= 0x61 && (code | 0x20) <= 0x66);
}

/** A word with digits is a name, such as "http2" or "v1", when few of it are digits and they end it. */
function varies(text: string, start: number, end: number): boolean {
  if (end - start > 24) return true;
  let digits = 0;
  let letters = 0;
  let last = 0;
  for (let at = start; at < end; at++) {
    const code = text.charCodeAt(at);
    if (code >= 0x30 && code <= 0x39) digits++;
    else if ((code | 0x20) >= 0x61 && (code | 0x20) <= 0x7a) {
      if (digits > 0) return true;
      letters++;
    } else if (code !== 0x2e && code !== 0x2f) last++;
  }
  return letters === 0 || digits > 2 || digits + last > letters * 2;
}

/** A wildcard with the punctuation around the word, which belongs to the sentence. */
function framed(text: string, start: number, end: number): string {
  let from = start;
  let to = end;
  while (from < to && isFrame(text.charCodeAt(from))) from++;
  while (to > from && isFrame(text.charCodeAt(to - 1))) to--;
  if (from === start && to === end) return wildcard;
  return `${text.slice(start, from)}${wildcard}${text.slice(to, end)}`;
}

/** Brackets, quotes, comma, colon, semicolon, full stop. */
function isFrame(code: number): boolean {
  return (
    code === 0x28 ||
    code === 0x29 ||
    code === 0x5b ||
    code === 0x5d ||
    code === 0x7b ||
    code === 0x7d ||
    code === 0x22 ||
    code === 0x27 ||
    code === 0x2c ||
    code === 0x3a ||
    code === 0x3b ||
    code === 0x2e
  );
}
