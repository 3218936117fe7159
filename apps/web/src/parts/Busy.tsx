import { type QueryKey, useQueryClient } from "@tanstack/react-query";
import { type ReactNode, useEffect, useState } from "react";

/** Work is mentioned after this long… */
const mentionMs = 1000;
/** …and can be given up from then on. */
const cancelMs = 3000;

function Running({ queryKey }: { readonly queryKey: QueryKey }): ReactNode {
  const queries = useQueryClient();
  const [passedMs, setPassedMs] = useState(0);
  useEffect(() => {
    const startMs = performance.now();
    const timer = window.setInterval(() => setPassedMs(performance.now() - startMs), 500);
    return () => window.clearInterval(timer);
  }, []);
  if (passedMs < mentionMs) return null;
  return (
    <p className="row tight small quiet" role="status">
      Working for {Math.round(passedMs / 1000)} s…
      {passedMs >= cancelMs && (
        <button
          type="button"
          className="button small"
          onClick={() => void queries.cancelQueries({ queryKey })}
        >
          Give up
        </button>
      )}
    </p>
  );
}

/** Says that a question takes long, and lets it be given up. */
export function Busy({
  fetching,
  queryKey,
}: {
  readonly fetching: boolean;
  readonly queryKey: QueryKey;
}): ReactNode {
  return fetching ? <Running queryKey={queryKey} /> : null;
}
