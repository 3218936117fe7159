/** What a page shows when it has nothing yet, nothing at all, or a refusal. */
import { ApiError } from "@skopos/api";
import { SkoposError } from "@skopos/model";
import { IconAlertTriangle, IconLock, IconPlugConnectedX } from "@tabler/icons-react";
import type { ReactNode } from "react";
import { saysError } from "../data/client.ts";

/** Grey blocks of the size of what will come, so that nothing jumps. */
export function Skeleton({
  rows = 4,
  height = 20,
  label = "Loading",
}: {
  readonly rows?: number;
  readonly height?: number;
  readonly label?: string;
}): ReactNode {
  return (
    <div className="stack tight" role="status" aria-label={label}>
      {Array.from({ length: rows }, (_, row) => (
        <div
          key={row}
          className="skeleton"
          style={{ height, width: rows > 1 && row === rows - 1 ? "60%" : "100%" }}
        />
      ))}
    </div>
  );
}

export function Empty({
  title,
  children,
}: {
  readonly title: string;
  readonly children?: ReactNode;
}): ReactNode {
  return (
    <div className="empty">
      <h2>{title}</h2>
      {children}
    </div>
  );
}

export function Notice({
  kind = "plain",
  children,
}: {
  readonly kind?: "plain" | "degraded" | "failing";
  readonly children: ReactNode;
}): ReactNode {
  return (
    <div className={`notice ${kind}`} role={kind === "failing" ? "alert" : "status"}>
      {kind !== "plain" && <IconAlertTriangle size={18} aria-hidden="true" />}
      <div className="stack tight grow">{children}</div>
    </div>
  );
}

/** What keeps an answer from being whole. */
export function Warnings({ warnings }: { readonly warnings: readonly string[] }): ReactNode {
  if (warnings.length === 0) return null;
  return (
    <Notice kind="degraded">
      {warnings.map((warning) => (
        <p key={warning}>{warning}</p>
      ))}
    </Notice>
  );
}

const badQueryCodes = new Set(["bad-query", "bad_data", "execution"]);

function advice(error: unknown): { title: string; hint: string; icon: ReactNode } {
  const alert = <IconAlertTriangle size={20} aria-hidden="true" />;
  const code = error instanceof SkoposError ? error.code : "";
  const httpStatus = error instanceof ApiError ? error.httpStatus : null;
  if (code === "unreachable")
    return {
      title: "No answer from the server",
      hint: "What is on the screen may be old. Is skopos running?",
      icon: <IconPlugConnectedX size={20} aria-hidden="true" />,
    };
  if (httpStatus === 403)
    return {
      title: "Your role may not see or do this",
      hint: "Ask someone with more rights, or sign in with another token.",
      icon: <IconLock size={20} aria-hidden="true" />,
    };
  if (httpStatus === 404)
    return {
      title: "Not found",
      hint: "It may be older than what is kept, or the address is mistyped. Search with /.",
      icon: alert,
    };
  if (badQueryCodes.has(code)) return { title: "This query cannot be run", hint: "", icon: alert };
  return {
    title: error instanceof SkoposError ? "The server refused" : "This went wrong",
    hint: "",
    icon: alert,
  };
}

export function Refusal({
  error,
  retry,
}: {
  readonly error: unknown;
  readonly retry?: () => void;
}): ReactNode {
  const { title, hint, icon } = advice(error);
  return (
    <div className="notice failing" role="alert">
      {icon}
      <div className="stack tight grow">
        <p className="strong">{title}</p>
        <p>{saysError(error)}</p>
        {hint && <p className="quiet">{hint}</p>}
        {retry && (
          <div>
            <button type="button" className="button small" onClick={retry}>
              Try again
            </button>
          </div>
        )}
      </div>
    </div>
  );
}

interface Asked<Data> {
  readonly data: Data | undefined;
  readonly error: unknown;
  readonly refetch: () => unknown;
}

/** Data if there is some (with a word when refreshing failed), else the refusal, else the skeleton. */
export function Loaded<Data>({
  asked,
  skeleton,
  children,
}: {
  readonly asked: Asked<Data>;
  readonly skeleton?: ReactNode;
  readonly children: (data: Data) => ReactNode;
}): ReactNode {
  const { data, error, refetch } = asked;
  if (data === undefined) {
    if (error) return <Refusal error={error} retry={() => void refetch()} />;
    return skeleton ?? <Skeleton />;
  }
  return (
    <>
      {Boolean(error) && (
        <Notice kind="degraded">
          <p>What you see is not the newest: {saysError(error)}</p>
        </Notice>
      )}
      {children(data)}
    </>
  );
}
