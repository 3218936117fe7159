/**
 * What Loki, Tempo and Jaeger refuse, in our words: they say most of it in plain text, with a status that is 400 for a query
 * that is wrong and for one that is too large alike.
 */
import { CancelledError, LimitError, SkoposError } from "@skopos/model";

/** Where in the query the other server found the fault. */
class RemoteQueryError extends SkoposError {
  readonly line: number;
  readonly column: number;

  constructor(message: string, line: number, column: number) {
    super("bad-query", message);
    this.line = line;
    this.column = column;
  }
}

const messageCharsMax = 2000;
const limitWords =
  /\b(?:limit|maximum|exceed(?:s|ed)?|too many|too large|too long|resource exhausted)\b/i;

/** The error for an answer that is none. */
export function refusalOf(base: string, status: number, text: string): SkoposError {
  const said = text.trim().slice(0, messageCharsMax) || `status ${status}`;
  if (status === 401 || status === 403)
    return new SkoposError(
      "unavailable",
      `${base} refuses the credentials of the configuration (status ${status}): ${said}`,
    );
  if (status === 406) return new SkoposError("not-supported", said);
  if (status === 413 || status === 422 || status === 429) return new LimitError(said);
  if (status === 499) return new CancelledError(said);
  if (status === 400) return badQuery(said);
  return new SkoposError("unavailable", `${base} answers with status ${status}: ${said}`);
}

function badQuery(said: string): SkoposError {
  const place = /\bline (\d+),? col(?:umn)? (\d+)/.exec(said);
  if (place) return new RemoteQueryError(said, Number(place[1]), Number(place[2]));
  if (!said.includes("parse error") && limitWords.test(said)) return new LimitError(said);
  return new SkoposError("bad-query", said);
}
