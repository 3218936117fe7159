/**
 * Live updates: the server's event stream says what is new, the matching queries are asked again. While paused, or
 * while the stream is gone, the header says since when; only an action that was started here is still watched.
 */
import { apiPrefix, type LiveEvent, liveEvent } from "@skopos/api";
import { type QueryKey, useQueryClient } from "@tanstack/react-query";
import {
  createContext,
  type ReactNode,
  useCallback,
  useContext,
  useEffect,
  useMemo,
  useState,
} from "react";
import { staleKeys } from "../logic/stale-keys.ts";

type LiveState =
  | { readonly state: "connecting" }
  | { readonly state: "live" }
  | { readonly state: "paused"; readonly since: number }
  | { readonly state: "stale"; readonly since: number };

interface LiveControl {
  readonly live: LiveState;
  readonly toggle: () => void;
}

/** Events within this time are answered together. */
const gatherMs = 400;
/** While the stream is gone, open incidents are asked for anyway this often. */
const fallbackMs = 10_000;

const LiveContext = createContext<LiveControl>({
  live: { state: "connecting" },
  toggle: () => undefined,
});

export const useLive = (): LiveControl => useContext(LiveContext);

function readEvent(data: unknown): LiveEvent | null {
  if (typeof data !== "string") return null;
  try {
    const parsed = liveEvent.safeParse(JSON.parse(data));
    return parsed.success ? parsed.data : null;
  } catch {
    return null; // A newer server may send what this page does not know.
  }
}

export function Live({ children }: { readonly children: ReactNode }): ReactNode {
  const queries = useQueryClient();
  const [pausedSince, setPausedSince] = useState<number | null>(null);
  const [stream, setStream] = useState<LiveState>({ state: "connecting" });
  const paused = pausedSince !== null;

  useEffect(() => {
    if (paused) return undefined;
    const waiting = new Map<string, QueryKey>();
    let timer: number | undefined;
    const flush = () => {
      timer = undefined;
      for (const queryKey of waiting.values()) void queries.invalidateQueries({ queryKey });
      waiting.clear();
    };
    const source = new EventSource(`${apiPrefix}/events`);
    source.addEventListener("open", () => {
      setStream({ state: "live" });
      // Whatever happened while nobody listened is asked for once.
      void queries.invalidateQueries({ type: "active" });
    });
    source.addEventListener("error", () =>
      setStream((was) => (was.state === "stale" ? was : { state: "stale", since: Date.now() })),
    );
    source.addEventListener("message", ({ data }) => {
      const event = readEvent(data);
      if (!event) return;
      for (const key of staleKeys(event)) waiting.set(JSON.stringify(key), key);
      timer ??= window.setTimeout(flush, gatherMs);
    });
    return () => {
      source.close();
      window.clearTimeout(timer);
    };
  }, [paused, queries]);

  const stale = stream.state === "stale" && !paused;
  useEffect(() => {
    if (!stale) return undefined;
    const timer = window.setInterval(() => {
      void queries.invalidateQueries({ type: "active" });
    }, fallbackMs);
    return () => window.clearInterval(timer);
  }, [stale, queries]);

  const toggle = useCallback(
    () => setPausedSince((since) => (since === null ? Date.now() : null)),
    [],
  );
  const control = useMemo<LiveControl>(
    () => ({
      live: pausedSince === null ? stream : { state: "paused", since: pausedSince },
      toggle,
    }),
    [pausedSince, stream, toggle],
  );
  return <LiveContext value={control}>{children}</LiveContext>;
}
