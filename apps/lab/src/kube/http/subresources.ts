import { once } from "node:events";
import { clone, isObject, type JsonObject, mapAt, numberAt, stringAt, valueAt } from "../json.ts";
import type { KubeObject, LabelSelector, Pod } from "../object.ts";
import type { LogOptions } from "../node-agent.ts";
import { applyJsonPatch, applyMergePatch } from "../patch-json.ts";
import { formatLabelSelector } from "../selectors.ts";
import {
  badRequest,
  conflict,
  invalid,
  invalidValue,
  methodNotAllowed,
  notFound,
  StatusError,
} from "../status-error.ts";
import { mediaTypeOf, parseBody, parseObject, readBody } from "./body.ts";
import { type Exchange, flag, integer, sendJson, writeOptionsOf } from "./exchange.ts";
import type { Target } from "./target.ts";

/** `/scale`, `/log` and `/eviction`. */
function required(exchange: Exchange, { kind, namespace }: Target, name: string): KubeObject {
  const found = exchange.store.get(kind.kind, namespace, name);
  if (found === undefined) throw notFound(kind, name);
  return found;
}

function scaleOf(object: KubeObject): JsonObject {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
  // Checked against the kind's schema when it was written.
  const selector = valueAt(object, "spec", "selector") as LabelSelector | undefined;
  return {
    kind: "Scale",
    apiVersion: "autoscaling/v1",
    metadata: {
      name,
      namespace: namespace ?? "",
      uid: uid ?? "",
      resourceVersion: resourceVersion ?? "",
      creationTimestamp: creationTimestamp ?? null,
    },
    spec: { replicas: numberAt(object, "spec", "replicas") ?? 0 },
    status: {
      replicas: numberAt(object, "status", "replicas") ?? 0,
      selector: formatLabelSelector(selector),
    },
  };
}

/** Reads a Scale, or changes `spec.replicas` of what it stands for. */
export async function answerScale(exchange: Exchange, target: Target, name: string): Promise<void> {
  const object = required(exchange, target, name);
  const { method } = exchange.request;
  if (method === "GET") return sendJson(exchange, 200, scaleOf(object));
  const wanted = await wantedScale(exchange, scaleOf(object));
  const version = stringAt(wanted, "metadata", "resourceVersion") ?? "";
  if (version !== "" && version !== object.metadata.resourceVersion) {
    throw conflict(target.kind, name);
  }
  const replicas = numberAt(wanted, "spec", "replicas") ?? 0;
  if (replicas < 0) {
    const subject = { group: "autoscaling", kind: "Scale", plural: "scales" };
    const why = "must be greater than or equal to 0";
    throw invalid(subject, name, [invalidValue("spec.replicas", replicas, why)]);
  }
  const next = clone(object);
  next["spec"] = { ...mapAt(next, "spec"), replicas };
  const options = { ...writeOptionsOf(exchange, "UpdateOptions"), subresource: "scale" as const };
  sendJson(exchange, 200, scaleOf(exchange.store.update(next, options)));
}

async function wantedScale(exchange: Exchange, current: JsonObject): Promise<JsonObject> {
  const { request } = exchange;
  const mediaType = mediaTypeOf(request);
  const bytes = await readBody(request);
  if (request.method === "PUT") return parseObject(bytes, mediaType);
  if (request.method !== "PATCH") throw methodNotAllowed();
  const accepted = [
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
  ];
  const patch = parseBody(bytes, mediaType, accepted);
  const isJsonPatch = mediaType === "application/json-patch+json";
  const result = isJsonPatch ? applyJsonPatch(current, patch) : applyMergePatch(current, patch);
  if (isObject(result)) return result;
  throw badRequest("the patch does not leave an object");
}

/** Evicts a pod: a deletion under another name, since disruption budgets are only stored here. */
export async function answerEviction(
  exchange: Exchange,
  target: Target,
  name: string,
): Promise<void> {
  if (exchange.request.method !== "POST") throw methodNotAllowed();
  const body = parseObject(await readBody(exchange.request), mediaTypeOf(exchange.request));
  const graceSeconds = numberAt(body, "deleteOptions", "gracePeriodSeconds");
  required(exchange, target, name);
  exchange.store.delete("Pod", target.namespace, name, {
    dryRun: writeOptionsOf(exchange, "CreateOptions").dryRun === true,
    ...(graceSeconds === undefined ? {} : { gracePeriodSeconds: graceSeconds }),
  });
  const success = { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", code: 201 };
  sendJson(exchange, 201, success);
}

/** The container whose log is meant; a pod of several must be told which. */
function containerOf(pod: Pod, asked: string | null): string {
  const names = pod.spec.containers.map(({ name }) => name);
  const all = [...names, ...(pod.spec.initContainers ?? []).map(({ name }) => name)];
  if (asked !== null && asked !== "") {
    if (all.includes(asked)) return asked;
    throw badRequest(`container ${asked} is not valid for pod ${pod.metadata.name}`);
  }
  const [only] = names;
  if (only !== undefined && names.length === 1) return only;
  throw badRequest(
    `a container name must be specified for pod ${pod.metadata.name}, choose one of: [${names.join(" ")}]`,
  );
}

export async function answerLog(exchange: Exchange, target: Target, name: string): Promise<void> {
  const { store, url, nodeAgent, response } = exchange;
  if (exchange.request.method !== "GET") throw methodNotAllowed();
  const pod = store.get("Pod", target.namespace, name);
  if (pod === undefined) throw notFound(target.kind, name);
  const container = containerOf(pod, url.searchParams.get("container"));
  const status = pod.status.containerStatuses?.find((each) => each.name === container);
  if (status === undefined || valueAt(status.state, "waiting") !== undefined) {
    const reason = stringAt(status?.state, "waiting", "reason") ?? "ContainerCreating";
    throw badRequest(
      `container ${JSON.stringify(container)} in pod ${JSON.stringify(name)} is waiting to start: ${reason}`,
    );
  }
  if (nodeAgent === undefined) {
    throw new StatusError(503, "ServiceUnavailable", "no node agent is connected");
  }
  const left = new AbortController();
  response.on("close", () => left.abort());
  const options = { ...logOptionsOf(exchange), signal: left.signal };
  const lines = nodeAgent.logs(target.namespace ?? "", name, container, options);
  response.writeHead(200, { "content-type": "text/plain", "cache-control": "no-cache, private" });
  response.flushHeaders();
  try {
    await stream(exchange, lines, integer(url.searchParams, "limitBytes") ?? Infinity);
  } catch (error) {
    // A source may end its wait with an error when the reader leaves; nobody is there to be told.
    if (!left.signal.aborted) throw error;
  }
}

function logOptionsOf({ url, clock }: Exchange): LogOptions {
  const query = url.searchParams;
  const tailLines = integer(query, "tailLines");
  const sinceSeconds = integer(query, "sinceSeconds");
  const sinceTime = query.get("sinceTime");
  const sinceMs =
    sinceSeconds !== undefined
      ? clock.nowMs() - sinceSeconds * 1000
      : sinceTime === null
        ? undefined
        : Date.parse(sinceTime);
  return {
    ...(tailLines === undefined ? {} : { tailLines }),
    ...(sinceMs === undefined || Number.isNaN(sinceMs) ? {} : { sinceMs }),
    follow: flag(query, "follow"),
    previous: flag(query, "previous"),
    timestamps: flag(query, "timestamps"),
  };
}

async function stream(
  { response }: Exchange,
  lines: AsyncIterable<string> | string[],
  bytesMax: number,
): Promise<void> {
  let sent = 0;
  const iterator = Array.isArray(lines) ? lines.values() : lines[Symbol.asyncIterator]();
  // A reader that leaves must stop the source even while it waits for its next line.
  const gone = once(response, "close").then(() => ({ done: true as const, value: undefined }));
  while (sent < bytesMax && !response.destroyed) {
    const next = await Promise.race([iterator.next(), gone]);
    if (next.done === true) break;
    const text = Buffer.from(`${next.value}\n`).subarray(0, bytesMax - sent);
    sent += text.length;
    if (!response.write(text)) await Promise.race([once(response, "drain"), gone]);
  }
  response.end();
  // Not awaited: a generator that waits for its next line answers only then. Nor is its last word: nobody reads on.
  void Promise.resolve(iterator.return?.(undefined)).catch(() => undefined);
}
