/** Chromium, as the tests drive it. */
import { mkdirSync } from "node:fs";
import path from "node:path";
import { type Browser, chromium, type Page } from "playwright-core";

export function launchBrowser(): Promise<Browser> {
  const executablePath = process.env["SKOPOS_CHROMIUM"];
  if (!executablePath)
    throw new Error(
      "SKOPOS_CHROMIUM is not set: run the tests with `npm test`, which finds or installs Chromium",
    );
  return chromium.launch({
    executablePath,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
}

/** Saves a picture when SKOPOS_SCREENSHOTS names a directory. */
export async function picture(page: Page, name: string): Promise<void> {
  const dir = process.env["SKOPOS_SCREENSHOTS"];
  if (!dir) return;
  mkdirSync(dir, { recursive: true });
  await page.screenshot({ path: path.join(dir, `${name}.png`) });
}
