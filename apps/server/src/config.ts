/** What `skopos serve` is told: a YAML file, overlaid by flags. Validated here and nowhere else. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { formatDuration, messageOf, parseDuration, SkoposError } from "@skopos/model";
import { LineCounter, parseDocument } from "yaml";
import { z } from "zod";

const duration = z.string().transform((text, context) => {
  try {
    return parseDuration(text);
  } catch (error) {
    context.addIssue({ code: "custom", message: messageOf(error) });
    return z.NEVER;
  }
});

const portMax = 65_535;
const listen = z
  .string()
  .regex(/^.+:\d{1,5}$/, "host:port, like 127.0.0.1:7080")
  .refine((text) => portOf(text) <= portMax, `a port is at most ${portMax}`);

/** Another server, by its URL. */
const remoteServer = {
  url: z.url(),
  /** Sent with every query, such as Authorization or X-Scope-OrgID. */
  headers: z.record(z.string(), z.string()).default({}),
};

const schema = z.strictObject({
  dataDir: z.string().default(".skopos"),
  listen: listen.default("127.0.0.1:7080"),
  /** Further Host values that are us, like "skopos.example.org". */
  hosts: z.array(z.string()).default([]),
  cluster: z.string().default("mesh"),
  kubernetes: z
    .strictObject({
      server: z.url().optional(),
      kubeconfig: z.string().optional(),
      token: z.string().optional(),
      /** What of the cluster's own wishes is followed: a kind that it does not know does no harm. */
      discover: z
        .strictObject({
          /** ServiceMonitor, PodMonitor, Probe, ScrapeConfig. */
          monitors: z.boolean().default(true),
          /** PrometheusRule. */
          rules: z.boolean().default(true),
          /** ConfigMaps labelled skopos.io/rules, prometheus_rule or skopos.io/scrape-config. */
          configMaps: z.boolean().default(true),
        })
        .prefault({}),
    })
    .prefault({}),
  /** A Prometheus configuration with scrape_configs; the built-in one discovers annotated pods. */
  scrapeConfig: z.string().optional(),
  scrapeInterval: duration.default(15_000),
  /** Rule files in Prometheus's format; the built-in mesh rules when absent. */
  rules: z.array(z.string()).optional(),
  webhooks: z.array(z.strictObject({ url: z.url() })).default([]),
  auth: z
    .strictObject({
      tokens: z
        .array(
          z.strictObject({
            name: z.string(),
            role: z.enum(["viewer", "responder", "approver", "admin", "ingest"]),
            sha256: z.string().regex(/^[0-9a-f]{64}$/),
          }),
        )
        .default([]),
      requireIngestToken: z.boolean().default(false),
    })
    .prefault({}),
  clickhouse: z
    .strictObject({ url: z.url().optional(), memoryMaxMB: z.number().int().min(256).default(1024) })
    .prefault({}),
  head: z
    .strictObject({
      retention: duration.default(6 * 3_600_000),
      seriesMax: z.number().int().min(1000).default(1_500_000),
    })
    .prefault({}),
  /** Metrics behind the head, in ClickHouse. */
  history: z
    .strictObject({
      /** How long every sample is kept. */
      rawRetention: duration.default(14 * 86_400_000),
      /** How long one-minute roll-ups are kept. */
      rollupRetention: duration.default(90 * 86_400_000),
      /** An hour of samples is carried so long after its end; later samples of it are refused. */
      carryAfter: duration.default(2 * 3_600_000),
    })
    .prefault({}),
  /** How long spans and log lines are kept. */
  retention: z
    .strictObject({
      traces: duration.default(7 * 86_400_000),
      logs: duration.default(7 * 86_400_000),
      /** After that, of traces without an error that were not slow only a share is kept. At least an hour. */
      sampledOut: duration.refine((ms) => ms >= 3_600_000, "at least 1h").default(86_400_000),
      /** Of those, how many, 0 to 1; 1 keeps all. */
      share: z.number().min(0).max(1).default(0.05),
      /** Of an hour. Errors and slow traces stay all the same, and leave less room for the others. */
      spansPerHourMax: z.number().int().min(1).default(5_000_000),
    })
    .prefault({}),
  storage: z
    .strictObject({
      /** What spans, lines and metrics may take of ClickHouse's disk; above it the oldest days go. No limit when absent. */
      bytesMax: z.number().int().min(100_000_000).optional(),
    })
    .prefault({}),
  query: z
    .strictObject({
      workers: z.number().int().min(1).max(16).default(2),
      timeout: duration.default(120_000),
    })
    .prefault({}),
  metrics: z
    .strictObject({
      /**
       * A Prometheus-compatible server that answers queries instead of the embedded head: for people, the graph and
       * diagnosis. Rules are evaluated here, over what is scraped and pushed here, and Prometheus's own paths answer
       * from that too.
       */
      engine: z.strictObject(remoteServer).optional(),
    })
    .prefault({}),
  traces: z
    .strictObject({
      /**
       * A Tempo or a Jaeger that answers every question about traces instead of the store here: for people, diagnosis,
       * and the paths of Tempo and Jaeger. What is pushed here stays here, is kept and let go of as ever, and is not
       * asked. Rules are not concerned: they are of metrics. A Jaeger finds traces within one service and has no
       * attributes to list and no series; what it lacks is refused as "not-supported".
       */
      engine: z.strictObject({ kind: z.enum(["tempo", "jaeger"]), ...remoteServer }).optional(),
    })
    .prefault({}),
  incidents: z
    .strictObject({
      /** How long the signals must stay well after an action. */
      holdTime: duration.default(120_000),
      verifyTimeout: duration.default(600_000),
      /** How long alerts must be quiet before an incident counts as over. */
      quietTime: duration.default(60_000),
    })
    .prefault({}),
  otlp: z
    .strictObject({
      /** OTLP over gRPC; absent: 127.0.0.1:4317 when it is free. */
      grpc: z.union([z.literal("off"), listen]).optional(),
      /** The usual port of OTLP/HTTP, as 127.0.0.1:4318, besides the paths of the main one. */
      http: z.union([z.literal("off"), listen]).default("off"),
    })
    .prefault({}),
  zipkin: z
    .strictObject({ listen: z.union([z.literal("off"), listen]).default("off") })
    .prefault({}),
  logs: z
    .strictObject({
      /**
       * A Loki that answers every question about lines instead of the store here: for people, diagnosis, and Loki's own
       * paths, its tail among them. What is pushed here or read from files stays here, is kept and let go of as ever,
       * and is not asked. Rules are not concerned: they are of metrics.
       */
      engine: z.strictObject(remoteServer).optional(),
      /** Container logs of this node, in the kubelet's layout. */
      files: z
        .strictObject({
          dir: z.string().default("/var/log/pods"),
          /** The node's name, so that only its pods are watched. */
          node: z.string().optional(),
        })
        .optional(),
    })
    .prefault({}),
  /** What is masked in spans and log lines before they are written. */
  masking: z
    .strictObject({
      /** All built-in rules but the optional ones, none, or those named. */
      defaults: z.union([z.boolean(), z.array(z.string())]).default(true),
      rules: z
        .array(
          z.strictObject({
            name: z.string().regex(/^[\w.-]{1,64}$/, "letters, digits, dot, dash and underscore"),
            key: z.string().min(1).optional(),
            /** RE2. */
            pattern: z.string().min(1).optional(),
            replace: z.string().optional(),
          }),
        )
        .max(100)
        .default([]),
    })
    .prefault({}),
  ingest: z
    .strictObject({
      /** Per service; absent: as much as comes. */
      limits: z
        .strictObject({
          spansPerSecond: z.number().positive().optional(),
          linesPerSecond: z.number().positive().optional(),
        })
        .prefault({}),
    })
    .prefault({}),
  /** The control address of a practice mesh. */
  practice: z.strictObject({ url: z.url() }).optional(),
});

export type ServerConfig = z.output<typeof schema>;
export type ServerConfigInput = z.input<typeof schema>;

/** Validates a configuration object. Throws `bad-config` naming the setting. */
export function parseServerConfig(input: unknown, source = "configuration"): ServerConfig {
  const result = schema.safeParse(input);
  if (!result.success) {
    const lines = result.error.issues.map(
      (issue) => `  ${issue.path.join(".") || "(top)"}: ${issue.message}`,
    );
    throw new SkoposError("bad-config", `${source}:\n${lines.join("\n")}`);
  }
  const config = result.data;
  const { otlp, zipkin } = config;
  for (const address of [config.listen, otlp.grpc, otlp.http, zipkin.listen]) {
    if (address === undefined || address === "off" || config.auth.tokens.length > 0) continue;
    const host = hostOf(address);
    if (isLoopback(host)) continue;
    throw new SkoposError(
      "bad-config",
      `refusing to listen on ${host} without authentication: add auth.tokens (name, role, sha256 of the token), or listen on 127.0.0.1`,
    );
  }
  const headMsMin = config.history.carryAfter + 2 * 3_600_000;
  if (config.head.retention < headMsMin) {
    throw new SkoposError(
      "bad-config",
      `${source}:\n  head.retention: must be at least ${formatDuration(headMsMin)}: an hour of samples is carried ${formatDuration(config.history.carryAfter)} (history.carryAfter) after its end`,
    );
  }
  return config;
}

const loopbackHost = /^(?:127\.\d+\.\d+\.\d+|localhost|\[?::1\]?)$/;

export function isLoopback(host: string): boolean {
  return loopbackHost.test(host);
}

export function hostOf(listenText: string): string {
  return listenText.slice(0, listenText.lastIndexOf(":"));
}

export function portOf(listenText: string): number {
  return Number(listenText.slice(listenText.lastIndexOf(":") + 1));
}

/** Reads a YAML file. Errors carry the file, line and column. */
export function readServerConfigFile(file: string): ServerConfigInput {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (cause) {
    throw new SkoposError("bad-config", `cannot read ${file}: ${messageOf(cause)}`, { cause });
  }
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { lineCounter });
  const [error] = document.errors;
  if (error) {
    const place = lineCounter.linePos(error.pos[0]);
    throw new SkoposError(
      "bad-config",
      `${file}:${place.line}:${place.col}: ${error.message.split("\n")[0] ?? ""}`,
    );
  }
  const value: unknown = document.toJS() ?? {};
  const result = schema.safeParse(value);
  if (result.success) return resolvePaths(value as ServerConfigInput, path.dirname(file));
  const lines = result.error.issues.map((issue) => {
    const node = document.getIn(issue.path as (string | number)[], true) as
      | { range?: [number] }
      | undefined;
    const place = node?.range ? lineCounter.linePos(node.range[0]) : undefined;
    return `${file}:${place?.line ?? 1}:${place?.col ?? 1}: ${issue.path.join(".") || "(top)"}: ${issue.message}`;
  });
  throw new SkoposError("bad-config", lines.join("\n"));
}

/** Paths in a file are relative to it. */
function resolvePaths(input: ServerConfigInput, base: string): ServerConfigInput {
  return {
    ...input,
    ...(input.dataDir === undefined ? {} : { dataDir: path.resolve(base, input.dataDir) }),
    ...(input.scrapeConfig === undefined
      ? {}
      : { scrapeConfig: path.resolve(base, input.scrapeConfig) }),
    ...(input.logs?.files?.dir === undefined
      ? {}
      : {
          logs: {
            ...input.logs,
            files: { ...input.logs.files, dir: path.resolve(base, input.logs.files.dir) },
          },
        }),
    ...(input.rules === undefined
      ? {}
      : { rules: input.rules.map((file) => path.resolve(base, file)) }),
  };
}
