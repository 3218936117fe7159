import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { SkoposError } from "@skopos/model";
import { Command } from "commander";
import { portArgument, rateArgument, wholeNumberArgument } from "../arguments.ts";
import { startLabProcess } from "../lab-process.ts";
import { runUntilSignal } from "../lifetime.ts";
import { formatTable } from "../table.ts";

interface LabOptions {
  topology?: string;
  kubePort: number;
  controlPort: number;
  collector?: string;
  rps: number;
  seed: number;
  dataDir: string;
}

interface ControlOptions {
  lab?: string;
  dataDir: string;
}

interface LabState {
  readonly broken: { readonly name: string; readonly since: number } | null;
}

/** The control address: named, or left behind by the lab that runs on this machine. */
function controlUrl(options: ControlOptions): string {
  if (options.lab) return options.lab.replace(/\/$/, "");
  const file = path.resolve(options.dataDir, "lab.json");
  if (!existsSync(file))
    throw new SkoposError(
      "unreachable",
      `no practice mesh is running here (${file} is missing): start one with skopos demo, or name it with --lab`,
    );
  return (JSON.parse(readFileSync(file, "utf8")) as { controlUrl: string }).controlUrl;
}

async function control<Answer>(
  options: ControlOptions,
  method: "GET" | "POST",
  call: string,
  body?: unknown,
): Promise<Answer> {
  const url = `${controlUrl(options)}/lab/v1/${call}`;
  const response = await fetch(url, {
    method,
    ...(body === undefined
      ? {}
      : { body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
  }).catch((cause: unknown) => {
    throw new SkoposError("unreachable", `no practice mesh answers at ${url}`, { cause });
  });
  const text = await response.text();
  if (!response.ok) throw new SkoposError("lab", errorText(text));
  return JSON.parse(text) as Answer;
}

function errorText(text: string): string {
  try {
    const json = JSON.parse(text) as { error?: { message?: string } };
    return json.error?.message ?? text;
  } catch {
    return text;
  }
}

export function labCommand(): Command {
  const command = new Command("lab")
    .description("the practice mesh: real services and sidecars on loopback, to break and mend")
    .option("--topology <file>", "the mesh as YAML; SocialStream when absent")
    .option("--kube-port <port>", "port of its Kubernetes API; 0 takes a free one", portArgument, 0)
    .option("--control-port <port>", "port of its control API; 0 takes a free one", portArgument, 0)
    .option("--collector <url>", "where spans (OTLP) and logs (Loki) are sent")
    .option("--rps <number>", "requests per second through the gateway", rateArgument, 50)
    .option("--seed <number>", "seed of everything random", wholeNumberArgument, 1)
    .option("--data-dir <dir>", "where its addresses are left for the commands below", ".skopos")
    .option("--lab <url>", "for the commands below: control address of another practice mesh")
    .addHelpText(
      "after",
      "\nExamples:\n  skopos lab --kube-port 7081 --collector http://127.0.0.1:7080\n  skopos lab scenarios\n  skopos lab break connection-overflow\n  skopos lab mend\n",
    )
    .action(async (options: LabOptions) => {
      const lab = await startLabProcess({
        topologyFile: options.topology ? path.resolve(options.topology) : undefined,
        kubePort: options.kubePort,
        controlPort: options.controlPort,
        collectorUrl: options.collector,
        requestsPerSecond: options.rps,
        seed: options.seed,
        stateFile: path.resolve(options.dataDir, "lab.json"),
      });
      console.log(
        `Kubernetes  ${lab.kubeUrl}\nControl     ${lab.controlUrl}\nGateway     ${lab.gatewayUrl}`,
      );
      await runUntilSignal(async () => {
        const report = await lab.stop();
        if (report) console.log(report);
      });
    });

  command
    .command("scenarios")
    .description("what can be broken")
    .action(async (_options: unknown, self: Command) => {
      const { scenarios } = await control<{ scenarios: { name: string; title: string }[] }>(
        self.optsWithGlobals(),
        "GET",
        "scenarios",
      );
      console.log(
        formatTable(
          [
            { title: "NAME", value: (s) => s.name },
            { title: "TITLE", value: (s) => s.title },
          ],
          scenarios,
        ),
      );
    });
  command
    .command("break <scenario>")
    .description("break the mesh: a scenario's name, or a YAML file")
    .action(async (scenario: string, _options: unknown, self: Command) => {
      // The lab tells a file's text from a name by its line breaks.
      const text = existsSync(scenario) ? readFileSync(scenario, "utf8") : undefined;
      const body =
        text === undefined
          ? { scenario }
          : { scenario: text.includes("\n") ? text : `${text}\n`, source: scenario };
      const state = await control<LabState>(self.optsWithGlobals(), "POST", "break", body);
      console.log(`broken: ${state.broken?.name ?? "nothing"}`);
    });
  command
    .command("mend")
    .description("put everything back")
    .action(async (_options: unknown, self: Command) => {
      await control<LabState>(self.optsWithGlobals(), "POST", "mend", {});
      console.log("mended");
    });
  command
    .command("state")
    .description("what is broken, and how the load fares")
    .action(async (_options: unknown, self: Command) => {
      console.log(
        JSON.stringify(await control<LabState>(self.optsWithGlobals(), "GET", "state"), null, 2),
      );
    });
  command
    .command("load")
    .description("change the load")
    .argument("<rps>", "requests per second", rateArgument)
    .option("--shape <shape>", "steady, daily or burst", "steady")
    .action(async (rps: number, options: { shape: string }, self: Command) => {
      await control<LabState>(self.optsWithGlobals(), "POST", "load", {
        rps,
        shape: options.shape,
      });
      console.log(`load: ${rps}/s, ${options.shape}`);
    });
  return command;
}
