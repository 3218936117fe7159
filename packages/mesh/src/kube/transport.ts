/**
 * One HTTP exchange with a Kubernetes API server, over Node's own client so that bodies stream and client certificates
 * work. Addresses and credentials come from a kubeconfig, the pod's service account, or a plain server URL.
 */
import { KubeConfig } from "@kubernetes/client-node";
import { messageOf, SkoposError } from "@skopos/model";
import http from "node:http";
import https from "node:https";

export interface KubeRequest {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Path and query, beginning with a slash. */
  readonly path: string;
  readonly contentType?: string;
  readonly body?: string;
  readonly signal?: AbortSignal;
  /** Without a byte for this long, the exchange is given up. */
  readonly idleTimeoutMs: number;
}

/** Answers with the head; the body streams. Rejects with code "unreachable". */
export type Transport = (request: KubeRequest) => Promise<http.IncomingMessage>;

export type KubeTarget =
  | { readonly server: string; readonly token?: string }
  | { readonly kubeconfig: string; readonly context?: string }
  | { readonly inCluster: true };

function loadConfig(target: KubeTarget): KubeConfig {
  const config = new KubeConfig();
  if ("server" in target) {
    config.loadFromOptions({
      clusters: [{ name: "target", server: target.server, skipTLSVerify: false }],
      users: [{ name: "target", ...(target.token !== undefined && { token: target.token }) }],
      contexts: [{ name: "target", cluster: "target", user: "target" }],
      currentContext: "target",
    });
  } else if ("kubeconfig" in target) {
    config.loadFromFile(target.kubeconfig);
    if (target.context !== undefined) config.setCurrentContext(target.context);
  } else {
    config.loadFromCluster();
  }
  return config;
}

/** Throws `invalid` when the target names no API server. */
function openConfig(target: KubeTarget): { config: KubeConfig; server: string } {
  let config: KubeConfig;
  try {
    config = loadConfig(target);
  } catch (cause) {
    throw new SkoposError("invalid", `the kubeconfig cannot be used: ${messageOf(cause)}`, {
      cause,
    });
  }
  const server = config.getCurrentCluster()?.server;
  if (!server) {
    throw new SkoposError(
      "invalid",
      "no Kubernetes API server is configured: give a kubeconfig or a server URL",
    );
  }
  return { config, server };
}

/** What another client needs to reach the same API server. PEM texts; plain data that crosses threads. */
export interface KubeCredentials {
  readonly server: string;
  readonly token: string | undefined;
  readonly ca: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
}

/** The credentials as they are now; a token that a plug-in made will age. Throws `invalid`. */
export async function credentialsOf(target: KubeTarget): Promise<KubeCredentials> {
  const { config, server } = openConfig(target);
  const options: https.RequestOptions = {};
  if (server.startsWith("https:")) await config.applyToHTTPSOptions(options);
  const authorization = Object.entries(options.headers ?? {}).find(
    ([name]) => name.toLowerCase() === "authorization",
  )?.[1];
  const bearer =
    typeof authorization === "string" ? /^Bearer (.+)$/.exec(authorization)?.[1] : undefined;
  const given = "token" in target ? target.token : undefined;
  const pem = (value: unknown) =>
    typeof value === "string" || Buffer.isBuffer(value) ? value.toString() : undefined;
  return {
    server,
    token: bearer ?? given,
    ca: pem(options.ca),
    cert: pem(options.cert),
    key: pem(options.key),
  };
}

/** Throws `invalid` when the target names no API server. */
export function createTransport(target: KubeTarget): Transport {
  const { config, server } = openConfig(target);
  const base = new URL(server);
  const secure = base.protocol === "https:";
  // One agent, so that exchanges reuse connections; client-node would make one per call.
  const plainAgent = new http.Agent({ keepAlive: true });
  return async (request) => {
    const headers: http.OutgoingHttpHeaders = {
      accept: "application/json",
      "user-agent": "skopos",
      ...(request.body !== undefined && {
        "content-type": request.contentType ?? "application/json",
        "content-length": `${Buffer.byteLength(request.body)}`,
      }),
    };
    const options: https.RequestOptions = {
      method: request.method,
      hostname: base.hostname,
      port: base.port,
      path: `${base.pathname.replace(/\/$/, "")}${request.path}`,
      headers,
      timeout: request.idleTimeoutMs,
      ...(request.signal && { signal: request.signal }),
      ...(!secure && { agent: plainAgent }),
    };
    // Plain HTTP carries no credentials of the config but a token.
    if (secure) await config.applyToHTTPSOptions(options);
    else if ("token" in target && target.token !== undefined)
      headers["authorization"] = `Bearer ${target.token}`;
    return await new Promise((resolve, reject) => {
      const fail = (cause: unknown) =>
        reject(
          new SkoposError(
            "unreachable",
            `the Kubernetes API at ${base.host} does not answer: ${messageOf(cause)}`,
            { cause },
          ),
        );
      const exchange = (secure ? https : http).request(options, resolve);
      exchange.on("timeout", () =>
        exchange.destroy(new Error(`nothing for ${request.idleTimeoutMs} ms`)),
      );
      exchange.on("error", fail);
      exchange.end(request.body);
    });
  };
}
