import type { Graph, GraphEdge, GraphNode } from "@skopos/api";
import { parseDuration } from "@skopos/model";
import { Command } from "commander";
import { connect, type ConnectionOptions, print, withConnection } from "../connection.ts";
import { formatTable, milliseconds, percent, perSecond } from "../table.ts";

const order = ["failing", "degraded", "unknown", "idle", "healthy"];
const worstFirst = (a: GraphNode | GraphEdge, b: GraphNode | GraphEdge) =>
  order.indexOf(a.health.state) - order.indexOf(b.health.state);

function flagsOf(edge: GraphEdge): string {
  return Object.entries(edge.flags)
    .map(([flag, rate]) => `${flag} ${perSecond(rate)}`)
    .join(", ");
}

function graphText(graph: Graph): string {
  const nodes = formatTable(
    [
      { title: "SERVICE", value: (n: GraphNode) => n.id },
      { title: "HEALTH", value: (n) => n.health.state },
      { title: "RATE", align: "right", value: (n) => perSecond(n.traffic.requestsPerSecond) },
      { title: "ERRORS", align: "right", value: (n) => percent(n.traffic.errorRatio) },
      { title: "P95", align: "right", value: (n) => milliseconds(n.traffic.p95Ms) },
      {
        title: "READY",
        align: "right",
        value: (n) => (n.replicas ? `${n.replicas.ready}/${n.replicas.desired}` : "–"),
      },
      { title: "WHY", value: (n) => n.health.reasons.join("; ") },
    ],
    [...graph.nodes].sort(worstFirst),
  );
  const edges = formatTable(
    [
      { title: "FROM", value: (e: GraphEdge) => e.source },
      { title: "TO", value: (e) => e.target },
      { title: "PROTOCOL", value: (e) => e.protocol },
      { title: "RATE", align: "right", value: (e) => perSecond(e.traffic.requestsPerSecond) },
      { title: "ERRORS", align: "right", value: (e) => percent(e.traffic.errorRatio) },
      { title: "P95", align: "right", value: (e) => milliseconds(e.traffic.p95Ms) },
      { title: "MTLS", align: "right", value: (e) => percent(e.mtlsRatio) },
      { title: "FLAGS", value: flagsOf },
    ],
    [...graph.edges].sort(worstFirst),
  );
  return [nodes, "", edges, ...graph.warnings.map((warning) => `warning: ${warning}`)].join("\n");
}

export function graphCommand(): Command {
  return withConnection(new Command("graph").description("services and calls, errors first"))
    .option("-n, --namespace <name>", "only this namespace")
    .option("--window <duration>", "over how long rates are taken", "1m")
    .option("--exit-code", "exit with 1 when something is failing")
    .action(
      async (
        options: ConnectionOptions & { namespace?: string; window: string; exitCode?: boolean },
      ) => {
        const query = {
          windowMs: parseDuration(options.window),
          ...(options.namespace ? { namespace: options.namespace } : {}),
        };
        const graph = await connect(options).call("graph", { query });
        print(options, graph, graphText);
        if (options.exitCode && graph.nodes.some((node) => node.health.state === "failing"))
          process.exitCode = 1;
      },
    );
}
