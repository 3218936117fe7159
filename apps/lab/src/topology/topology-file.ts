/** The topology file: a mesh as data. See the lab's README for the format. */
import { readFileSync } from "node:fs";
import { z } from "zod";
import { parseYamlDocument } from "../document/yaml-document.ts";
import { parseGoDuration } from "../istio/go-duration.ts";

const dnsLabel = z
  .string()
  .regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/, "must be a DNS label: a-z, 0-9 and '-'");
const duration = z.string().transform((text, context) => {
  const ms = parseGoDuration(text);
  if (ms !== undefined) return ms;
  context.addIssue({ code: "custom", message: `"${text}" is not a duration such as 10m or 1.5s` });
  return z.NEVER;
});
const environment = z.record(
  z.string(),
  z.union([z.string(), z.number(), z.boolean()]).transform(String),
);
const requestLine = z
  .string()
  .regex(/^(GET|POST|PUT|PATCH|DELETE) \/\S*$/, 'must be a method and a path, as "GET /users/:id"');
const callLine = z
  .string()
  .regex(
    /^(GET|POST|PUT|PATCH|DELETE) [a-z0-9.-]+:\d+\/\S*$/,
    'must be a method, host:port and path, as "GET user-service:8080/users/{id}"',
  );

const plainStep = z.union([
  z.strictObject({
    work: z.strictObject({
      waitMs: z.number().min(0).default(0),
      cpuMs: z.number().min(0).default(0),
    }),
  }),
  z.strictObject({ query: z.strictObject({ waitMs: z.number().min(0) }) }),
  z.strictObject({
    call: callLine,
    times: z.number().int().min(1).max(50).default(1),
    optional: z.boolean().default(false),
  }),
  z.strictObject({ send: callLine }),
]);
const step = z.union([plainStep, z.strictObject({ parallel: z.array(plainStep).min(1) })]);

const appSchema = z.strictObject({
  name: dnsLabel,
  namespace: dnsLabel,
  kind: z.enum(["http", "database", "gateway"]).default("http"),
  image: z.string().regex(/^[^\s:]+:[^\s:]+$/, 'must be "name:tag"'),
  replicas: z.number().int().min(0).max(20),
  port: z.number().int().min(1024).max(65_535),
  servicePort: z.number().int().min(1).max(65_535).optional(),
  labels: z.record(z.string(), z.string()).default({}),
  env: environment.default({}),
  /** What an image's tag brings with it, below the Deployment's own env. */
  tags: z.record(z.string(), environment).default({}),
  resources: z
    .strictObject({
      requests: z.record(z.string(), z.string()).optional(),
      limits: z.record(z.string(), z.string()).optional(),
    })
    .default({}),
  routes: z
    .array(
      z.strictObject({
        route: requestLine,
        bytes: z.number().int().min(0).max(200_000).default(400),
        steps: z.array(step).default([]),
      }),
    )
    .default([]),
});

const objectSchema = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({ name: z.string(), namespace: z.string().optional() }),
});

const topologySchema = z.strictObject({
  name: dnsLabel,
  description: z.string().default(""),
  mesh: z
    .strictObject({
      /** Percent of new traces that are recorded. */
      traceSampling: z.number().min(0).max(100).default(100),
      certificateTtl: duration.default(600_000),
      outbound: z.enum(["ALLOW_ANY", "REGISTRY_ONLY"]).default("ALLOW_ANY"),
    })
    .prefault({}),
  namespaces: z.array(z.strictObject({ name: dnsLabel, injection: z.boolean().default(true) })),
  apps: z.array(appSchema).min(1).max(200),
  /** Kubernetes objects as they are: Gateways, VirtualServices, DestinationRules, PeerAuthentications … */
  objects: z.array(objectSchema).default([]),
  load: z.strictObject({
    host: z.string().default("lab.example"),
    rps: z.number().min(0).max(5000).default(50),
    requests: z
      .array(z.strictObject({ request: requestLine, weight: z.number().min(0).default(1) }))
      .min(1),
  }),
});

export type Topology = z.output<typeof topologySchema>;
export type TopologyApp = Topology["apps"][number];

/** Throws `DocumentError` with line and column. */
export function parseTopology(text: string, source: string): Topology {
  return parseYamlDocument(text, source, topologySchema.superRefine(checkReferences));
}

export function readTopology(path: string): Topology {
  return parseTopology(readFileSync(path, "utf8"), path);
}

function checkReferences(topology: Topology, context: z.RefinementCtx): void {
  const namespaces = new Set(topology.namespaces.map(({ name }) => name));
  const seen = new Set<string>();
  topology.apps.forEach((app, i) => {
    const path = ["apps", i];
    if (!namespaces.has(app.namespace)) {
      const message = `namespace "${app.namespace}" is not listed under namespaces: add it there`;
      context.addIssue({ code: "custom", message, path: [...path, "namespace"] });
    }
    const key = `${app.namespace}/${app.name}`;
    if (seen.has(key)) {
      const message = `${key} is defined twice: give one of them another name`;
      context.addIssue({ code: "custom", message, path: [...path, "name"] });
    }
    seen.add(key);
  });
  if (!topology.apps.some((app) => app.kind === "gateway")) {
    const message = 'the load needs an app of kind "gateway" to come in through: add one';
    context.addIssue({ code: "custom", message, path: ["apps"] });
  }
}
