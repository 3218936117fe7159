/** A live tail over Loki's WebSocket: connects, takes lines in, and connects again when it is lost. */
import { useCallback, useEffect, useReducer, useRef, useState } from "react";
import {
  emptyTail,
  letIn,
  readTailMessage,
  resumeFrom,
  retryDelayMs,
  takeMessage,
  type TailState,
} from "../../logic/log-tail.ts";

type TailLink =
  | { readonly state: "connecting" }
  | { readonly state: "live" }
  | { readonly state: "lost"; readonly reason: string; readonly retryAt: number }
  | { readonly state: "refused"; readonly reason: string };

interface Tail {
  readonly link: TailLink;
  readonly tail: TailState;
  readonly retry: () => void;
}

const linesPerMessage = 500;
/** The server closes with it when the query cannot be run: asking again would not help. */
const policyViolation = 1008;

type Event =
  | { readonly type: "message"; readonly text: unknown; readonly held: boolean }
  | { readonly type: "release" }
  | { readonly type: "reset" };

function next(state: TailState, event: Event): TailState {
  if (event.type === "reset") return emptyTail;
  if (event.type === "release") return letIn(state);
  const message = readTailMessage(event.text);
  return message ? takeMessage(state, message, event.held) : state;
}

export function useTail(query: string, held: boolean): Tail {
  const [tail, send] = useReducer(next, emptyTail);
  const [link, setLink] = useState<TailLink>({ state: "connecting" });
  const [round, setRound] = useState(0);
  const attempts = useRef(0);
  const isHeld = useRef(held);
  const newest = useRef<string | null>(null);
  useEffect(() => {
    newest.current = resumeFrom(tail);
  }, [tail]);
  useEffect(() => {
    isHeld.current = held;
    if (!held) send({ type: "release" });
  }, [held]);

  useEffect(() => {
    attempts.current = 0;
    return () => send({ type: "reset" });
  }, [query]);

  const again = useCallback(() => {
    setLink({ state: "connecting" });
    setRound((was) => was + 1);
  }, []);

  useEffect(() => {
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    const search = new URLSearchParams({ query, limit: `${linesPerMessage}` });
    // Lines that came while there was no connection are wanted as well.
    if (newest.current !== null) search.set("start", newest.current);
    const socket = new WebSocket(
      `${scheme}//${location.host}/loki/api/v1/tail?${search.toString()}`,
    );
    let timer: number | undefined;
    socket.addEventListener("open", () => {
      attempts.current = 0;
      setLink({ state: "live" });
    });
    socket.addEventListener("message", ({ data }: MessageEvent<unknown>) =>
      send({ type: "message", text: data, held: isHeld.current }),
    );
    const lost = ({ code, reason }: CloseEvent) => {
      if (code === policyViolation) {
        setLink({ state: "refused", reason });
        return;
      }
      const delayMs = retryDelayMs(attempts.current++);
      setLink({ state: "lost", reason, retryAt: Date.now() + delayMs });
      timer = window.setTimeout(again, delayMs);
    };
    socket.addEventListener("close", lost);
    return () => {
      socket.removeEventListener("close", lost);
      window.clearTimeout(timer);
      socket.close();
    };
    // Each round is a connection of its own.
    // oxlint-disable-next-line react/exhaustive-deps
  }, [query, round, again]);

  return { link, tail, retry: again };
}
