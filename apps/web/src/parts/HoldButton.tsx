import { type ReactNode, useEffect, useReducer, useRef, useState } from "react";
import { holdMs, holdProgress, idle, nextHold } from "../logic/hold.ts";

interface HoldButtonProps {
  /** What happens, naming the thing: "Approve: undo the rollout of user-service". */
  readonly label: string;
  readonly disabled?: boolean;
  readonly onConfirm: () => void;
}

/** Acts after being held, by pointer or by Enter or Space. */
export function HoldButton({ label, disabled = false, onConfirm }: HoldButtonProps): ReactNode {
  const [hold, send] = useReducer(nextHold, idle);
  const [progress, setProgress] = useState(0);
  const confirm = useRef(onConfirm);
  useEffect(() => {
    confirm.current = onConfirm;
  });

  useEffect(() => {
    if (hold.state !== "holding") return undefined;
    const timer = window.setInterval(() => {
      const atMs = performance.now();
      setProgress(holdProgress(hold, atMs));
      send({ type: "tick", atMs });
    }, 40);
    return () => window.clearInterval(timer);
  }, [hold]);

  const done = hold.state === "done";
  useEffect(() => {
    if (!done) return;
    confirm.current();
    send({ type: "reset" });
  }, [done]);

  const press = (by: "pointer" | "key") => {
    if (hold.state === "idle") setProgress(0);
    send({ type: "press", by, atMs: performance.now() });
  };
  const holding = hold.state === "holding";
  const release = () => send({ type: "release" });
  return (
    <button
      type="button"
      className="button primary hold"
      disabled={disabled}
      aria-label={`Hold to approve: ${label}`}
      aria-describedby="hold-says"
      data-testid="approve"
      onPointerDown={(event) => {
        if (event.button === 0) press("pointer");
      }}
      onPointerUp={release}
      onPointerLeave={release}
      onPointerCancel={release}
      onBlur={release}
      onContextMenu={(event) => event.preventDefault()}
      onKeyDown={(event) => {
        if (event.key === "Enter" || event.key === " ") {
          event.preventDefault();
          press("key");
        } else if (event.key === "Escape") release();
      }}
      onKeyUp={release}
    >
      <span className="hold-fill" style={{ transform: `scaleX(${holding ? progress : 0})` }} />
      <span className={holding ? "hold-text faded" : "hold-text"}>Hold to approve: {label}</span>
      {holding && <span className="hold-text">Keep holding…</span>}
      <span id="hold-says" className="visually-hidden">
        Keep the button, Enter or Space down for {holdMs / 1000} seconds. Letting go cancels.
      </span>
    </button>
  );
}
