import path from "node:path";
import { parseServerConfig, readServerConfigFile, startServer } from "@skopos/server";
import { Command } from "commander";
import { runUntilSignal } from "../lifetime.ts";
import { freePort } from "../port.ts";

interface ServeOptions {
  config?: string;
  dataDir?: string;
  listen?: string;
  kubernetes?: string;
  kubeconfig?: string;
  scrapeInterval?: string;
  rules?: string[];
}

export function serveCommand(): Command {
  return new Command("serve")
    .description("watch a mesh: scrape, receive, alert, explain, and serve the web page")
    .option("-c, --config <file>", "settings as YAML; flags win over it")
    .option("--data-dir <dir>", "where data is kept (default .skopos)")
    .option(
      "--listen <host:port>",
      "address to listen on (default 127.0.0.1:7080); port 0 takes a free one",
    )
    .option(
      "--kubernetes <url>",
      "address of the Kubernetes API; default: kubeconfig, or in-cluster",
    )
    .option("--kubeconfig <file>", "kubeconfig to use")
    .option("--scrape-interval <duration>", "how often targets are scraped (default 15s)")
    .option("--rules <file...>", "rule files in Prometheus's format")
    .addHelpText(
      "after",
      "\nExamples:\n  skopos serve --kubeconfig ~/.kube/config\n  skopos serve -c skopos.yaml --listen 127.0.0.1:7081\n",
    )
    .action(async (options: ServeOptions) => {
      const file = options.config ? readServerConfigFile(options.config) : {};
      const kubernetes = {
        ...file.kubernetes,
        ...(options.kubernetes ? { server: options.kubernetes } : {}),
        ...(options.kubeconfig ? { kubeconfig: path.resolve(options.kubeconfig) } : {}),
      };
      const parsed = parseServerConfig({
        ...file,
        kubernetes,
        ...(options.dataDir ? { dataDir: options.dataDir } : {}),
        ...(options.listen ? { listen: options.listen } : {}),
        ...(options.scrapeInterval ? { scrapeInterval: options.scrapeInterval } : {}),
        ...(options.rules ? { rules: options.rules } : {}),
      });
      // Before anything is told our address.
      const config = parsed.listen.endsWith(":0")
        ? { ...parsed, listen: parsed.listen.replace(/0$/, String(await freePort())) }
        : parsed;
      const server = await startServer(config);
      console.log(
        `Skopos is watching. Open ${server.signInUrl} (the link signs you in once, within ten minutes).`,
      );
      await runUntilSignal(() => server.stop());
    });
}
