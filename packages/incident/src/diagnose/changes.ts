/**
 * Changes as suspects: which of the changes before the onset could have brought about a mechanism at a node. The strongest
 * prior there is, and the easiest to fool: a change counts only where it shapes the node's traffic or is of its workload,
 * fades with the time between, and not at all when it was put back before the trouble began.
 */
import { appliesTo, type ChangeRecord, canonicalObject, type KubeObject } from "@skopos/mesh";
import type { Mechanism } from "@skopos/model";
import { isDeepStrictEqual } from "node:util";
import { changeEvidence } from "./evidence.ts";
import type { Scene, Support } from "./scene.ts";
import { changeFadeMs, weights } from "./weights.ts";

interface Rule {
  /** Kinds of object whose change can bring the mechanism about. */
  readonly objects: readonly string[];
  readonly kinds?: readonly ChangeRecord["change"]["kind"][];
  /** What in the diff or summary speaks of this very mechanism. */
  readonly speaks?: RegExp;
}

/** Numbers that bound a pool of connections, by the names people give them. */
const poolNames = /pool|conn(ection)?s?(_|$)|max_?(open|active|idle)/i;

const rollout = ["rollout"] as const;

const changeRules: Readonly<Partial<Record<Mechanism, Rule>>> = {
  "bad-rollout": { objects: ["Deployment"], kinds: rollout },
  "slow-rollout": { objects: ["Deployment"], kinds: rollout },
  "client-pool-exhausted": {
    objects: ["Deployment", "ConfigMap"],
    kinds: ["rollout", "config-updated"],
    speaks: poolNames,
  },
  "connection-pool-overflow": {
    objects: ["DestinationRule"],
    speaks: /connectionPool|maxConnections|PendingRequests|RequestsPerConnection|maxRequests/i,
  },
  "no-healthy-upstream": {
    objects: ["DestinationRule", "VirtualService", "Service", "Deployment"],
    speaks: /subset|selector|outlierDetection|readinessProbe|replicas/i,
  },
  "upstream-unreachable": {
    objects: ["Service", "DestinationRule", "Deployment", "PeerAuthentication", "ServiceEntry"],
    speaks: /port|tls|mtls|endpoint/i,
  },
  "upstream-reset": { objects: ["Deployment", "DestinationRule", "PeerAuthentication"] },
  "upstream-timeout": { objects: ["VirtualService"], speaks: /timeout/i },
  "route-missing": {
    objects: ["VirtualService", "DestinationRule", "Gateway", "Service"],
    speaks: /route|subset|host|match|port/i,
  },
  "fault-injected": { objects: ["VirtualService"], speaks: /fault|abort|delay/i },
  "mtls-conflict": { objects: ["PeerAuthentication", "DestinationRule"], speaks: /mtls|tls|mode/i },
  "authorization-denied": { objects: ["AuthorizationPolicy"] },
  "dns-failure": { objects: ["ServiceEntry", "Service"] },
  "cpu-saturation": { objects: ["Deployment"], kinds: rollout, speaks: /(limits|requests)\.cpu/ },
  "memory-pressure": {
    objects: ["Deployment"],
    kinds: rollout,
    speaks: /(limits|requests)\.memory|heap|cache/i,
  },
  "crash-loop": { objects: ["Deployment", "ConfigMap"] },
  "too-few-replicas": { objects: ["Deployment"], kinds: ["scale"] },
  "retry-storm": { objects: ["VirtualService"], speaks: /retr|attempts/i },
};

const objectOf = (record: ChangeRecord): KubeObject | null => record.after ?? record.before;

function isPutBack(record: ChangeRecord, scene: Scene): boolean {
  if (!record.before) return false;
  const wanted = canonicalObject(record.before);
  return scene.changes.some(
    (later) =>
      later.change.object.id === record.change.object.id &&
      later.change.at > record.change.at &&
      later.change.at < scene.onsetMs &&
      later.after !== null &&
      isDeepStrictEqual(canonicalObject(later.after)["spec"], wanted["spec"]),
  );
}

/** 0 to 1 by the time between change and onset; 0 for changes that came after, or were put back. */
function recency(record: ChangeRecord, scene: Scene): number {
  // The onset is seen one rate window late at worst, and early by a scrape at best.
  const slackMs = Math.max(15_000, scene.signals.windowMs);
  const beforeMs = scene.onsetMs - record.change.at;
  if (beforeMs < -slackMs || isPutBack(record, scene)) return 0;
  const own = record.change.by === "skopos" ? 0.3 : 1;
  return own * Math.exp(-Math.max(0, beforeMs) / changeFadeMs);
}

export interface Suspect {
  readonly record: ChangeRecord;
  readonly support: Support;
  readonly speaks: boolean;
}

/** The change that a mechanism at a node is most likely due to. */
export function suspectChange(
  scene: Scene,
  node: string,
  mechanism: Mechanism,
): Suspect | undefined {
  const rule = changeRules[mechanism];
  if (!rule) return undefined;
  let best: Suspect | undefined;
  for (const record of scene.changes) {
    const object = objectOf(record);
    if (!object || !rule.objects.includes(object.kind)) continue;
    if (rule.kinds && !rule.kinds.includes(record.change.kind)) continue;
    const touches = record.change.serviceId === node || appliesTo(scene.store, object, node);
    const fresh = recency(record, scene);
    if (!touches || fresh < 0.05) continue;
    const speaks = rule.speaks?.test(changedText(record)) ?? false;
    const weight = combined(weights.change * fresh, speaks ? weights.changeSpeaks * fresh : 0);
    if (!best || weight > best.support.weight)
      best = { record, speaks, support: changeEvidence(record, scene.onsetMs, weight) };
  }
  return best;
}

const combined = (a: number, b: number) => 1 - (1 - a) * (1 - b);

/** The lines that a change added or took away, and its summary. */
function changedText(record: ChangeRecord): string {
  const lines = record.change.diff.split("\n").filter((line) => /^[+-](?![+-]{2} )/.test(line));
  return [record.change.summary, ...lines].join("\n");
}

/** Pool sizes that a rollout lowered, like "DB_POOL_SIZE 16 → 2". */
export function loweredPools(record: ChangeRecord): string[] {
  const found: string[] = [];
  for (const match of record.change.summary.matchAll(/([A-Za-z][\w.-]*) (\d+) → (\d+)/g)) {
    const [, name = "", before = "", after = ""] = match;
    if (poolNames.test(name) && Number(after) < Number(before))
      found.push(`${name} ${before} → ${after}`);
  }
  return found;
}
