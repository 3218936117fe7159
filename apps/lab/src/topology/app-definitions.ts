/** Turns the topology's apps into what pods run: definitions, and the environment that an image's tag brings. */
import type { AppDefinition, Call, Step } from "../pod/app-definition.ts";
import type { Topology, TopologyApp } from "./topology-file.ts";

export interface RunnableImage {
  readonly definition: AppDefinition | undefined;
  readonly role: "sidecar" | "gateway";
  readonly environment: Readonly<Record<string, string>>;
}

/** What runs in a container of `image`; undefined when the topology knows no such image or tag. */
export function runnableImage(topology: Topology, image: string): RunnableImage | undefined {
  const colon = image.lastIndexOf(":");
  const [name, tag] = [image.slice(0, colon), image.slice(colon + 1)];
  const app = topology.apps.find(
    (each) => each.image.slice(0, each.image.lastIndexOf(":")) === name,
  );
  if (app === undefined) return undefined;
  const known = app.tags[tag];
  if (known === undefined && app.image !== image) return undefined;
  return {
    definition: definitionOf(app),
    role: app.kind === "gateway" ? "gateway" : "sidecar",
    environment: known ?? {},
  };
}

function definitionOf(app: TopologyApp): AppDefinition | undefined {
  if (app.kind === "gateway") return undefined;
  if (app.kind === "database") return { kind: "database" };
  return {
    kind: "http",
    routes: app.routes.map(({ route, bytes, steps }) => {
      const [method = "GET", path = "/"] = route.split(" ");
      return { method, path, responseBytes: bytes, steps: steps.map(stepOf) };
    }),
  };
}

function stepOf(step: TopologyApp["routes"][number]["steps"][number]): Step {
  if ("work" in step) return { kind: "work", work: step.work };
  if ("query" in step) return { kind: "query", waitMs: step.query.waitMs };
  if ("send" in step) return { kind: "send", call: callOf(step.send) };
  if ("parallel" in step) return { kind: "parallel", steps: step.parallel.map(stepOf) };
  const { times, optional } = step;
  return { kind: "call", call: callOf(step.call), times, optional };
}

function callOf(line: string): Call {
  const [method = "GET", target = ""] = line.split(" ");
  const slash = target.indexOf("/");
  return { method, authority: target.slice(0, slash), path: target.slice(slash) };
}
