/** What the reader prefers, in localStorage. A browser without storage gets the defaults. */
import { useCallback, useSyncExternalStore } from "react";

const prefix = "skopos.";
const changed = new EventTarget();

function read(key: string): string | null {
  try {
    return localStorage.getItem(prefix + key);
  } catch {
    return null; // Storage can be forbidden; the page works without.
  }
}

function writePreference(key: string, value: string): void {
  try {
    localStorage.setItem(prefix + key, value);
  } catch {
    return; // Full or forbidden: the choice lasts until the next load.
  } finally {
    changed.dispatchEvent(new Event(key));
  }
}

export function readPreference(key: string): string | null {
  return read(key);
}

export function usePreference(key: string, fallback: string): [string, (value: string) => void] {
  const subscribe = useCallback(
    (notify: () => void) => {
      changed.addEventListener(key, notify);
      return () => changed.removeEventListener(key, notify);
    },
    [key],
  );
  const value = useSyncExternalStore(subscribe, () => read(key) ?? fallback);
  const set = useCallback((next: string) => writePreference(key, next), [key]);
  return [value, set];
}

const schemes = ["auto", "light", "dark"] as const;

/** Puts the chosen scheme on the document; "auto" leaves it to the system. */
export function applyScheme(scheme: string): void {
  if (scheme === "light" || scheme === "dark") document.documentElement.dataset["scheme"] = scheme;
  else delete document.documentElement.dataset["scheme"];
}

export function cycleScheme(): void {
  const now = read("scheme") ?? "auto";
  const at = schemes.findIndex((scheme) => scheme === now);
  const next = schemes[(at + 1) % schemes.length] ?? "auto";
  writePreference("scheme", next);
  applyScheme(next);
}
