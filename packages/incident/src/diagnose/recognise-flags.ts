/** Requests lost between caller and destination: the response flag, or the code, names the mechanism. */
import { listAt, percent, textAt, valueAt } from "@skopos/mesh";
import { appliesTo, type KubeObject } from "@skopos/mesh";
import type { Mechanism } from "@skopos/model";
import { suspectChange } from "./changes.ts";
import { configEvidence, flagsEvidence, metricEvidence, edgeQuery, nameOf } from "./evidence.ts";
import { flagMechanisms, flagReasons } from "./flag-meanings.ts";
import type { Finding, LostRequests, Scene, Support } from "./scene.ts";
import { endingContainers, missingReplicas } from "./resources.ts";
import { shiftOf } from "./statistics.ts";
import { weights } from "./weights.ts";

const codeMechanisms: Readonly<Record<string, Mechanism>> = {
  "401": "authorization-denied",
  "403": "authorization-denied",
  "429": "rate-limited",
};

/** Fewer than this share of the failures are noise beside the rest. */
const shareMin = 0.05;

function mtlsObjects(scene: Scene, node: string): KubeObject[] {
  const rules = scene.store
    .objects("DestinationRule")
    .filter(
      (item) =>
        textAt(item, "spec", "trafficPolicy", "tls", "mode") !== undefined &&
        appliesTo(scene.store, item, node),
    );
  const policies = scene.store
    .objects("PeerAuthentication")
    .filter((item) => appliesTo(scene.store, item, node));
  return [...rules, ...policies];
}

const policyMode = (item: KubeObject) => textAt(item, "spec", "mtls", "mode");
const ruleMode = (item: KubeObject) => textAt(item, "spec", "trafficPolicy", "tls", "mode");

/** A strict policy beside a rule that sends plain text, or the other way round. */
function isMtlsConflict(scene: Scene, node: string): boolean {
  const objects = mtlsObjects(scene, node);
  const strict = objects.some((item) => policyMode(item) === "STRICT");
  const refuses = objects.some((item) => policyMode(item) === "DISABLE");
  const plain = objects.some((item) => ["DISABLE", "SIMPLE"].includes(ruleMode(item) ?? ""));
  const mutual = objects.some((item) => ["ISTIO_MUTUAL", "MUTUAL"].includes(ruleMode(item) ?? ""));
  return (strict && plain) || (refuses && mutual);
}

/** What stands behind lost connections: configuration of mutual TLS, or containers that end. */
function refineUnavailable(scene: Scene, node: string, mechanism: Mechanism): Mechanism {
  if (!["no-healthy-upstream", "upstream-unreachable", "upstream-reset"].includes(mechanism))
    return mechanism;
  if (isMtlsConflict(scene, node) && mechanism !== "no-healthy-upstream") return "mtls-conflict";
  const tls = suspectChange(scene, node, "mtls-conflict");
  if (tls?.speaks && mechanism !== "no-healthy-upstream") return "mtls-conflict";
  if (endingContainers(scene, node)) return "crash-loop";
  return mechanism;
}

const found = (item: KubeObject | undefined, statement: string) =>
  item ? [configEvidence(item, statement, weights.configuration)] : [];
const routes = (item: KubeObject) => listAt(item, "spec", "http");

/** The part of the configuration that shows the mechanism at work, as evidence for or against. */
function configurationSpeaks(
  scene: Scene,
  node: string,
  mechanism: Mechanism,
): { support: Support[]; against: Support[] } {
  const applied = (kind: string) =>
    scene.store.objects(kind).filter((item) => appliesTo(scene.store, item, node));
  const first = (kind: string, test: (item: KubeObject) => boolean) => applied(kind).find(test);
  switch (mechanism) {
    case "connection-pool-overflow": {
      const rule = first(
        "DestinationRule",
        (item) =>
          valueAt(item, "spec", "trafficPolicy", "connectionPool") !== undefined ||
          listAt(item, "spec", "subsets").some(
            (subset) => valueAt(subset, "trafficPolicy", "connectionPool") !== undefined,
          ),
      );
      return {
        support: found(rule, `DestinationRule ${rule?.metadata.name ?? ""} limits its connections`),
        against: [],
      };
    }
    case "fault-injected": {
      const service = first("VirtualService", (item) =>
        routes(item).some((route) => valueAt(route, "fault") !== undefined),
      );
      return {
        support: found(service, `VirtualService ${service?.metadata.name ?? ""} injects faults`),
        against: [],
      };
    }
    case "upstream-timeout": {
      const service = first("VirtualService", (item) =>
        routes(item).some((route) => valueAt(route, "timeout") !== undefined),
      );
      return {
        support: found(
          service,
          `VirtualService ${service?.metadata.name ?? ""} sets a timeout for its routes`,
        ),
        against: [],
      };
    }
    case "authorization-denied": {
      const policy = first("AuthorizationPolicy", () => true);
      return {
        support: found(policy, `AuthorizationPolicy ${policy?.metadata.name ?? ""} applies to it`),
        against: [],
      };
    }
    case "mtls-conflict": {
      const [item] = mtlsObjects(scene, node);
      return { support: found(item, "its mutual TLS settings are set by hand"), against: [] };
    }
    default:
      return { support: [], against: [] };
  }
}

/** Failures that follow from the destination being slow itself: the timeout only shows it. */
function isSlowItself(scene: Scene, node: string): boolean {
  const own = scene.ownWork.find((ranked) => ranked.node === node);
  return own !== undefined && own.own > 0 && own.share > 0.5;
}

interface Group {
  readonly mechanism: Mechanism;
  readonly node: string;
  perSecond: number;
  readonly key: string;
  readonly lost: LostRequests[];
}

function groupLost(scene: Scene): Group[] {
  const groups = new Map<string, Group>();
  const add = (lost: LostRequests, mechanism: Mechanism, key: string, perSecond: number) => {
    const node = lost.edge.target;
    const refined = refineUnavailable(scene, node, mechanism);
    const id = `${node} ${refined}`;
    const group = groups.get(id) ?? { mechanism: refined, node, perSecond: 0, key, lost: [] };
    group.perSecond += perSecond;
    group.lost.push(lost);
    groups.set(id, group);
  };
  for (const lost of scene.lost) {
    let explained = 0;
    for (const [flag, perSecond] of lost.flags) {
      const mechanism = flagMechanisms[flag];
      if (!mechanism) continue;
      explained += perSecond;
      add(lost, mechanism, flag, perSecond);
    }
    for (const [code, perSecond] of lost.codes) {
      const mechanism = codeMechanisms[code];
      if (mechanism && perSecond > explained) add(lost, mechanism, code, perSecond - explained);
    }
  }
  return [...groups.values()];
}

function findingOf(scene: Scene, group: Group, total: number): Finding | undefined {
  const { node, mechanism, key } = group;
  const share = Math.min(1, group.perSecond / total);
  if (share < shareMin) return undefined;
  const isFlag = flagMechanisms[key] !== undefined;
  const reason = isFlag ? (flagReasons[key] ?? key) : `answered with ${key}`;
  const strongest = group.lost[0];
  if (!strongest) return undefined;
  const statement = `${percent(share)} of the failures between ${nameOf(strongest.edge.source)} and ${nameOf(node)} carry ${isFlag ? `the flag ${key}` : `the code ${key}`}: ${reason}`;
  // A flag that proxies set is a fact; how much of the trouble it explains decides how much it counts.
  const weight = (isFlag ? weights.flag : weights.code) * Math.sqrt(share);
  const support: Support[] = [
    isFlag
      ? flagsEvidence(scene, strongest.edge, statement, weight)
      : metricEvidence(
          scene,
          {
            id: `codes:${strongest.edge.id}`,
            statement,
            query: edgeQuery(strongest.edge, "codes", scene.signals.window),
            unit: "per-second",
            series: strongest.edge.codes.get(key) ?? { times: [], values: [] },
            shift: undefined,
          },
          weight,
        ),
  ];
  const against: Support[] = [];
  const config = configurationSpeaks(scene, node, mechanism);
  support.push(...config.support);
  against.push(...config.against);
  const suspect = suspectChange(scene, node, mechanism);
  if (suspect) support.push(suspect.support);
  const ending = endingContainers(scene, node);
  if (mechanism === "crash-loop" && ending) support.push(ending);
  const missing = mechanism === "no-healthy-upstream" ? missingReplicas(scene, node) : undefined;
  if (missing) support.push(missing);
  const timeoutEdited = suspect?.speaks === true;
  if (mechanism === "upstream-timeout" && !timeoutEdited && isSlowItself(scene, node))
    against.push({
      ...flagsEvidence(
        scene,
        strongest.edge,
        `${nameOf(node)} itself has become slow: the timeout only shows it`,
        -weights.betterExplained,
      ),
      weight: weights.betterExplained,
    });
  return {
    node,
    mechanism,
    detail: isFlag ? `${reason} (${key})` : reason,
    support,
    against,
    change: suspect?.record,
  };
}

export function recogniseFlags(scene: Scene): Finding[] {
  const groups = groupLost(scene);
  const lostTotal = scene.lost.reduce((sum, { perSecond }) => sum + perSecond, 0);
  const own = scene.ownFailures.reduce((sum, ranked) => sum + Math.max(0, ranked.own), 0);
  const flagged = groups.reduce((sum, group) => sum + group.perSecond, 0);
  // Delays injected carry a flag and no failure: then flags are compared among themselves.
  const total = Math.max(lostTotal + own, flagged, 1e-9);
  return groups
    .map((group) => findingOf(scene, group, total))
    .filter((finding) => finding !== undefined);
}

/** Whether retries multiply what a node receives: callers send more per request of their own than they used to. */
export function recogniseRetries(scene: Scene): Finding[] {
  const findings: Finding[] = [];
  for (const edge of scene.signals.edges.values()) {
    const flag = edge.flags.get("URX");
    const sent = shiftOf(edge.requests.source, scene.windows);
    const suspect = suspectChange(scene, edge.target, "retry-storm");
    if (!sent || sent.before <= 0 || sent.now / sent.before < 1.5) continue;
    if (!flag && !suspect?.speaks) continue;
    findings.push({
      node: edge.target,
      mechanism: "retry-storm",
      detail: `${nameOf(edge.source)} sends ${(sent.now / sent.before).toFixed(1)} times as many requests as usual`,
      support: [
        metricEvidence(
          scene,
          {
            id: `retries:${edge.id}`,
            statement: `${nameOf(edge.source)} sends ${(sent.now / sent.before).toFixed(1)} times as many requests to ${nameOf(edge.target)} as usual`,
            query: edgeQuery(edge, "requests", scene.signals.window),
            unit: "per-second",
            series: edge.requests.source,
            shift: sent,
          },
          0.3,
        ),
        ...(suspect ? [suspect.support] : []),
      ],
      against: [],
      change: suspect?.record,
    });
  }
  return findings;
}
