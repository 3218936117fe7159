/** What charts on a canvas share: colours of the theme, the theme itself, files to keep. */
import { useMediaQuery } from "@mantine/hooks";
import { usePreference } from "../data/preferences.ts";

/** The colour that a CSS expression means here and now. */
export function cssColor(expression: string): string {
  // Canvas does not resolve light-dark(): a probe element does.
  const probe = document.createElement("i");
  probe.style.color = expression;
  document.body.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}

/** Another value means that colours must be read, and the canvas drawn, again. */
export function useThemeKey(): string {
  const [scheme] = usePreference("scheme", "auto");
  const dark = useMediaQuery("(prefers-color-scheme: dark)");
  return `${scheme} ${dark}`;
}

function download(name: string, url: string): void {
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
}

const fileOf = (title: string) => title.toLowerCase().replaceAll(/\W+/g, "-");

export function downloadPng(title: string, canvas: HTMLCanvasElement | null | undefined): void {
  if (canvas) download(`${fileOf(title)}.png`, canvas.toDataURL("image/png"));
}

export function downloadCsv(title: string, csv: string): void {
  download(`${fileOf(title)}.csv`, `data:text/csv;charset=utf-8,${encodeURIComponent(csv)}`);
}
