/// <reference types="node" />
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

const css = readFileSync(new URL("./tokens.css", import.meta.url), "utf8");

type Rgb = readonly [number, number, number];

function hex(text: string): Rgb {
  const value = Number.parseInt(text.slice(1), 16);
  return [value >> 16, (value >> 8) & 255, value & 255];
}

function luminance([r, g, b]: Rgb): number {
  const [x = 0, y = 0, z = 0] = [r, g, b].map((part) => {
    const share = part / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * x + 0.7152 * y + 0.0722 * z;
}

/** WCAG 2.2, 1.4.3. */
function contrast(a: Rgb, b: Rgb): number {
  const [dark = 0, light = 0] = [luminance(a), luminance(b)].toSorted((x, y) => x - y);
  return (light + 0.05) / (dark + 0.05);
}

const tokens = new Map(
  [...css.matchAll(/--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)/g)].map(
    ([, name = "", light = "", dark = ""]) => [name, { light: hex(light), dark: hex(dark) }],
  ),
);

const pairs = [
  ...["text", "text-2", "text-3", "accent", "healthy", "degraded", "failing", "unknown"].flatMap(
    (text) => ["surface", "surface-2"].map((surface) => [text, surface] as const),
  ),
  ["text-2", "surface-3"],
  ["accent", "accent-surface"],
  ["on-accent", "accent"],
  ["degraded", "degraded-surface"],
  ["failing", "failing-surface"],
  ["text-2", "failing-surface"],
  ["text-2", "degraded-surface"],
  ["added-text", "added"],
  ["removed-text", "removed"],
  ["surface", "failing"],
] as const;

describe("colours", () => {
  it("are read from the token file", () => expect(tokens.size).toBeGreaterThan(25));

  it.each(pairs)("let %s be read on %s, light and dark", (text, surface) => {
    const a = tokens.get(text)!;
    const b = tokens.get(surface)!;
    expect(contrast(a.light, b.light)).toBeGreaterThanOrEqual(4.5);
    expect(contrast(a.dark, b.dark)).toBeGreaterThanOrEqual(4.5);
  });

  it.each(["line-strong", "muted", "series-1", "series-2", "series-3", "series-8"])(
    "let %s be told from the surface as a line",
    (line) => {
      const token = tokens.get(line)!;
      const surface = tokens.get("surface")!;
      expect(contrast(token.light, surface.light)).toBeGreaterThanOrEqual(3);
      expect(contrast(token.dark, surface.dark)).toBeGreaterThanOrEqual(3);
    },
  );

  it("of a heat map grow away from the surface step by step, told by lightness alone", () => {
    const steps = ["surface", ...Array.from({ length: 7 }, (_, i) => `heat-${i + 1}`)].map((name) =>
      tokens.get(name)!,
    );
    for (const [i, { light, dark }] of steps.slice(1).entries()) {
      const before = steps[i]!;
      expect(contrast(light, before.light)).toBeGreaterThan(1.2);
      expect(luminance(light)).toBeLessThan(luminance(before.light));
      expect(contrast(dark, before.dark)).toBeGreaterThan(1.2);
      expect(luminance(dark)).toBeGreaterThan(luminance(before.dark));
    }
  });
});
