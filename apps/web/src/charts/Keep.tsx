import type { ReactNode } from "react";

/** The buttons that keep a chart as a file. */
export function Keep({
  png,
  csv,
}: {
  readonly png: () => void;
  readonly csv: () => void;
}): ReactNode {
  return (
    <>
      <button type="button" className="button bare small hide-phone" onClick={png}>
        PNG
      </button>
      <button type="button" className="button bare small hide-phone" onClick={csv}>
        CSV
      </button>
    </>
  );
}
