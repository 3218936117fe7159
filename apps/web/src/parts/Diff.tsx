import { type ReactNode, useMemo } from "react";
import { type DiffLine, diffLinesMax, diffSize, readDiff } from "../logic/diff.ts";

const sign: Readonly<Record<DiffLine["kind"], string>> = {
  added: "+",
  removed: "−",
  same: "",
  hunk: "",
  file: "",
};

function Text({ line }: { readonly line: DiffLine }): ReactNode {
  if (!line.mark) return line.text;
  const [start, end] = line.mark;
  return (
    <>
      {line.text.slice(0, start)}
      {end > start && <mark>{line.text.slice(start, end)}</mark>}
      {line.text.slice(end)}
    </>
  );
}

/** A unified diff as people read one. */
export function Diff({
  diff,
  label,
}: {
  readonly diff: string;
  readonly label: string;
}): ReactNode {
  const lines = useMemo(() => readDiff(diff), [diff]);
  const { added, removed } = diffSize(lines);
  if (lines.length === 0) return <p className="quiet">No difference recorded.</p>;
  return (
    <div
      className="diff"
      role="region"
      aria-label={`${label}: ${added} lines added, ${removed} removed`}
      // Scrolls sideways: the keyboard must reach it.
      // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex
      tabIndex={0}
    >
      {lines.map((line, at) => (
        // Lines have no identity but their place.
        // oxlint-disable-next-line react/no-array-index-key
        <div key={at} className={`line ${line.kind}`}>
          <span aria-hidden="true">{sign[line.kind]}</span>
          <span>
            <Text line={line} />
          </span>
        </div>
      ))}
      {lines.length >= diffLinesMax && <div className="line file">… cut here</div>}
    </div>
  );
}
