import type { ReactNode } from "react";
import { say, type Unit } from "../logic/numbers.ts";
import { formatAgo, fullTime } from "../logic/times.ts";
import { useNow } from "./use-now.ts";

/** A measured value: short to read, exact on hover. */
export function Value({
  value,
  unit,
}: {
  readonly value: number | null | undefined;
  readonly unit: Unit;
}): ReactNode {
  const { text, exact } = say(value, unit);
  return (
    <span className={text === "–" ? "num faint" : "num"} title={exact}>
      {text}
    </span>
  );
}

/** "3 min ago", with the moment and its zone on hover. */
export function Ago({ at }: { readonly at: number | null }): ReactNode {
  const now = useNow(5000);
  if (at === null) return <span className="faint">–</span>;
  return (
    <time className="num" dateTime={new Date(at).toISOString()} title={fullTime(at)}>
      {formatAgo(at, now)}
    </time>
  );
}
