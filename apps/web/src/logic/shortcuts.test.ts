import { describe, expect, it } from "vitest";
import { type KeyPress, noKeys, pressKey, sequenceMs, shortcuts } from "./shortcuts.ts";

function type(keys: readonly (string | Partial<KeyPress>)[]) {
  let state = noKeys;
  let command = null;
  let atMs = 0;
  for (const key of keys) {
    atMs += 100;
    const base = { key: "", atMs, ctrlOrMeta: false, alt: false, inField: false };
    ({ state, command } = pressKey(
      state,
      typeof key === "string" ? { ...base, key } : { ...base, ...key },
    ));
  }
  return command;
}

describe("keys", () => {
  it("goes to a place by two keys", () => {
    expect(type(["g", "i"])).toEqual({ type: "go", path: "/incidents" });
    expect(type(["g", "l"])).toEqual({ type: "go", path: "/logs" });
    expect(type(["l"])).toEqual({ type: "list" });
  });

  it("forgets the first key after a while and after a wrong second", () => {
    expect(type(["g", { key: "i", atMs: 200 + sequenceMs }])).toBeNull();
    expect(type(["g", "x", "i"])).toBeNull();
  });

  it("leaves people who type alone, except for Ctrl-K", () => {
    expect(type([{ key: "/", inField: true }])).toBeNull();
    expect(type([{ key: "k", ctrlOrMeta: true, inField: true }])).toEqual({ type: "search" });
    expect(type([{ key: "p", ctrlOrMeta: true }])).toBeNull();
  });

  it("has one meaning for each key", () => {
    expect(new Set(shortcuts.map(({ keys }) => keys)).size).toBe(shortcuts.length);
  });
});
