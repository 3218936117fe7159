import path from "node:path";
import { dropData, parseServerConfig, resourceDir, startServer } from "@skopos/server";
import { Command } from "commander";
import { durationArgument, portArgument, rateArgument } from "../arguments.ts";
import { startLabProcess } from "../lab-process.ts";
import { runUntilSignal } from "../lifetime.ts";
import { freePort } from "../port.ts";

interface DemoOptions {
  fresh?: boolean;
  dataDir: string;
  port: number;
  rps: number;
  scrapeInterval: string;
  rules?: string[];
  holdTime: string;
  quietTime: string;
}

export function demoCommand(): Command {
  return new Command("demo")
    .description("start a practice mesh, a steady load and the server, all on this machine")
    .option("--fresh", "forget the data of earlier demos")
    .option("--data-dir <dir>", "where data is kept", ".skopos")
    .option("--port <port>", "port of the web page; 0 takes a free one", portArgument, 7080)
    .option("--rps <number>", "requests per second through the gateway", rateArgument, 50)
    .option("--scrape-interval <duration>", "how often proxies are scraped", durationArgument, "5s")
    .option("--rules <file...>", "rule files instead of the demo's (for: 10s)")
    .option(
      "--hold-time <duration>",
      "how long signals must stay well after a fix",
      durationArgument,
      "20s",
    )
    .option(
      "--quiet-time <duration>",
      "how long alerts must be quiet before an incident is over",
      durationArgument,
      "30s",
    )
    .addHelpText(
      "after",
      "\nThen:\n  skopos lab break bad-rollout    and watch the page\n  skopos lab mend                 put everything back\n",
    )
    .action(async (options: DemoOptions) => {
      if (options.fresh) await dropData(options.dataDir);
      const port = options.port === 0 ? await freePort() : options.port;
      const address = `http://127.0.0.1:${port}`;
      console.log("Starting the practice mesh …");
      const lab = await startLabProcess({
        collectorUrl: address,
        requestsPerSecond: options.rps,
        stateFile: path.resolve(options.dataDir, "lab.json"),
      });
      try {
        const server = await startServer(
          parseServerConfig({
            dataDir: options.dataDir,
            listen: `127.0.0.1:${port}`,
            cluster: "practice",
            kubernetes: { server: lab.kubeUrl },
            scrapeInterval: options.scrapeInterval,
            rules: options.rules ?? [path.join(resourceDir("rules"), "mesh-demo.yaml")],
            incidents: { holdTime: options.holdTime, quietTime: options.quietTime },
            practice: { url: lab.controlUrl },
          }),
        );
        console.log(`
Skopos       ${address}
Sign in      ${server.signInUrl}   (works once, within ten minutes)
Kubernetes   kubectl --server=${lab.kubeUrl} -n socialstream get pods
Break it     npm run skopos -- lab break bad-rollout   (or the Practice page)

The mesh appears within a minute. Ctrl-C stops everything; data stays in ${options.dataDir}.`);
        await runUntilSignal(async () => {
          console.log("\nStopping …");
          const report = await lab.stop();
          await server.stop();
          if (report) console.log(report);
        });
      } catch (error) {
        await lab.stop();
        throw error;
      }
    });
}
