/** Keys of the page: single ones, and `g` followed by a place. Pure; the frame feeds it key presses. */
export type Command =
  | { readonly type: "go"; readonly path: string }
  | { readonly type: "search" }
  | { readonly type: "help" }
  | { readonly type: "row"; readonly step: 1 | -1 }
  | { readonly type: "list" }
  | { readonly type: "pause" }
  | { readonly type: "theme" };

export interface Shortcut {
  /** As shown in the help: "g i". */
  readonly keys: string;
  readonly says: string;
  readonly command: Command;
}

export const shortcuts: readonly Shortcut[] = [
  { keys: "/", says: "Search anything (also Ctrl K)", command: { type: "search" } },
  { keys: "?", says: "This help", command: { type: "help" } },
  { keys: "j", says: "Next row", command: { type: "row", step: 1 } },
  { keys: "k", says: "Previous row", command: { type: "row", step: -1 } },
  { keys: "l", says: "Mesh: graph or list", command: { type: "list" } },
  { keys: "p", says: "Pause or resume live updates", command: { type: "pause" } },
  { keys: "d", says: "Light, dark or as the system", command: { type: "theme" } },
  { keys: "g n", says: "Now", command: { type: "go", path: "/" } },
  { keys: "g i", says: "Incidents", command: { type: "go", path: "/incidents" } },
  { keys: "g m", says: "Mesh", command: { type: "go", path: "/mesh" } },
  { keys: "g t", says: "Traces", command: { type: "go", path: "/traces" } },
  { keys: "g l", says: "Logs", command: { type: "go", path: "/logs" } },
  { keys: "g e", says: "Metrics", command: { type: "go", path: "/query" } },
  { keys: "g a", says: "Alerts", command: { type: "go", path: "/alerts" } },
  { keys: "g c", says: "Changes", command: { type: "go", path: "/changes" } },
  { keys: "g p", says: "Practice", command: { type: "go", path: "/practice" } },
];

/** A `g` waits this long for its second key. */
export const sequenceMs = 1500;

export interface KeyPress {
  readonly key: string;
  readonly atMs: number;
  readonly ctrlOrMeta: boolean;
  readonly alt: boolean;
  /** Someone is typing: only Ctrl-K counts. */
  readonly inField: boolean;
}

export interface KeyState {
  readonly prefix: { readonly key: string; readonly atMs: number } | null;
}

export const noKeys: KeyState = { prefix: null };

export function pressKey(
  state: KeyState,
  press: KeyPress,
): { readonly state: KeyState; readonly command: Command | null } {
  if (press.ctrlOrMeta && press.key.toLowerCase() === "k")
    return { state: noKeys, command: { type: "search" } };
  if (press.ctrlOrMeta || press.alt || press.inField) return { state: noKeys, command: null };
  const prefix = state.prefix && press.atMs - state.prefix.atMs <= sequenceMs ? state.prefix : null;
  const keys = prefix ? `${prefix.key} ${press.key}` : press.key;
  const found = shortcuts.find((shortcut) => shortcut.keys === keys);
  if (found) return { state: noKeys, command: found.command };
  const starts = !prefix && shortcuts.some((shortcut) => shortcut.keys.startsWith(`${keys} `));
  return {
    state: starts ? { prefix: { key: press.key, atMs: press.atMs } } : noKeys,
    command: null,
  };
}
