/** Our own server as built (`npm run build`), with a data directory of its own, on loopback. */
import { existsSync, writeFileSync } from "node:fs";
import path from "node:path";
import { freePort } from "../../apps/cli/src/port.ts";
import { type Peer, startPeer } from "./process.ts";

const program = path.resolve(import.meta.dirname, "../../dist/skopos.js");

/** `settings` go over the configuration's own. */
export async function startSkopos(
  dir: string,
  settings: Readonly<Record<string, unknown>> = {},
  scrapeConfig = "scrape_configs: []\n",
): Promise<Peer> {
  if (!existsSync(program)) throw new Error("dist/ is missing: npm run build");
  const port = await freePort();
  const scrapeFile = path.join(dir, "scrape.yaml");
  const rulesFile = path.join(dir, "rules.yaml");
  const config = path.join(dir, "skopos.yaml");
  writeFileSync(scrapeFile, scrapeConfig);
  writeFileSync(rulesFile, "groups: []\n");
  // JSON is YAML.
  const own = {
    dataDir: path.join(dir, "skopos"),
    listen: `127.0.0.1:${port}`,
    kubernetes: { server: "http://127.0.0.1:1" },
    scrapeConfig: scrapeFile,
    rules: [rulesFile],
    ...settings,
  };
  writeFileSync(config, JSON.stringify(own));
  const args = [program, "serve", "--config", config];
  return startPeer(process.execPath, args, `http://127.0.0.1:${port}`, "/-/ready");
}
