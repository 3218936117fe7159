/**
 * From findings to a ranked list. Supports of one hypothesis combine as independent reasons to believe (1 − ∏(1 − w)),
 * objections take away (∏(1 − w)); a hypothesis with strong rivals is held with less confidence than one that stands alone.
 */
import type { Diagnosis, Evidence, Hypothesis } from "@skopos/api";
import { serviceEntity } from "@skopos/mesh";
import type { Finding, Scene, Support } from "./scene.ts";
import { nameOf } from "./evidence.ts";
import { summaryOf, titleOf } from "./words.ts";
import { confidenceMax, confidenceMin, weights } from "./weights.ts";

const hypothesesMax = 6;
const ruledOutMax = 12;
/** The first stays first until another is better by this much: an answer that flips helps nobody. */
const stickiness = 0.1;

const idOf = (finding: Finding) => `${finding.node}:${finding.mechanism}`;

function mergeSupport(a: readonly Support[], b: readonly Support[]): Support[] {
  const byId = new Map(a.map((item) => [item.evidence.id, item]));
  for (const item of b) {
    const known = byId.get(item.evidence.id);
    if (!known || known.weight < item.weight) byId.set(item.evidence.id, item);
  }
  return [...byId.values()].sort((x, y) => y.weight - x.weight);
}

function mergeFindings(findings: readonly Finding[]): Finding[] {
  const merged = new Map<string, Finding>();
  for (const finding of findings) {
    const known = merged.get(idOf(finding));
    merged.set(
      idOf(finding),
      known
        ? {
            ...known,
            support: mergeSupport(known.support, finding.support),
            against: mergeSupport(known.against, finding.against),
            change: known.change ?? finding.change,
          }
        : { ...finding, support: mergeSupport([], finding.support) },
    );
  }
  return [...merged.values()];
}

const believed = (supports: readonly Support[]) =>
  1 - supports.reduce((doubt, { weight }) => doubt * (1 - Math.min(0.95, weight)), 1);
const left = (objections: readonly Support[]) =>
  objections.reduce((rest, { weight }) => rest * (1 - Math.min(0.95, weight)), 1);

/** Evidence as people see it: objections count negative. */
const shown = (supports: readonly Support[], sign: 1 | -1): Evidence[] =>
  supports.map(({ evidence, weight }) => ({ ...evidence, weight: sign * Math.abs(weight) }));

interface Scored {
  readonly finding: Finding;
  readonly score: number;
  readonly confidence: number;
}

function score(findings: readonly Finding[], scene: Scene): Scored[] {
  const history = scene.hasLittleHistory ? 1 - weights.littleHistory : 1;
  const scored = findings.map((finding) => ({
    finding,
    score: believed(finding.support) * left(finding.against) * history,
  }));
  return scored
    .map(({ finding, score }) => {
      const rivals = scored.filter((other) => other.finding !== finding);
      const rival = Math.max(0, ...rivals.map((other) => other.score));
      const doubt = score > 0 ? score / (score + 0.35 * rival ** 2) : 0;
      return { finding, score, confidence: Math.min(confidenceMax, score * doubt) };
    })
    .sort((a, b) => b.score - a.score || (idOf(a.finding) < idOf(b.finding) ? -1 : 1));
}

function keepFirst(scored: Scored[], previous: Diagnosis | undefined): Scored[] {
  const before = previous?.hypotheses[0]?.id;
  const index = scored.findIndex(({ finding }) => idOf(finding) === before);
  const kept = scored[index];
  const first = scored[0];
  if (index <= 0 || !kept || !first || first.score - kept.score > stickiness) return scored;
  return [kept, ...scored.filter((item) => item !== kept)];
}

function hypothesisOf({ finding, confidence }: Scored, scene: Scene): Hypothesis {
  return {
    id: idOf(finding),
    node: serviceEntity(finding.node),
    mechanism: finding.mechanism,
    title: titleOf(finding),
    summary: summaryOf(finding, scene.onsetMs),
    confidence,
    change: finding.change?.change ?? null,
    onsetAt: scene.onsetMs,
    evidence: shown(finding.support, 1),
    against: shown(finding.against, -1),
  };
}

/** Why the other services of the slice are not it. */
function ruledOut(scene: Scene, blamed: ReadonlySet<string>): Diagnosis["ruledOut"] {
  const own = scene.signal === "latency" ? scene.ownWork : scene.ownFailures;
  const verb = scene.signal === "latency" ? "slow" : "failing";
  return own
    .filter(({ node, share }) => !blamed.has(node) && share < 0.15)
    .slice(0, ruledOutMax)
    .map(({ node }) => ({
      node: serviceEntity(node),
      why: scene.alerting.includes(node)
        ? `${nameOf(node)} is ${verb} only as far as what it calls is.`
        : `${nameOf(node)} adds nothing of its own: no more failures or waiting begin here than usual.`,
    }));
}

export function rankFindings(
  findings: readonly Finding[],
  scene: Scene,
  previous: Diagnosis | undefined,
): Pick<Diagnosis, "state" | "hypotheses" | "ruledOut"> {
  const scored = keepFirst(score(mergeFindings(findings), scene), previous);
  const best = scored[0];
  const explained = best !== undefined && best.confidence >= confidenceMin;
  const hypotheses = scored
    .filter(({ confidence }) => confidence >= 0.05)
    .slice(0, hypothesesMax)
    .map((item) => hypothesisOf(item, scene));
  const blamed = new Set(hypotheses.slice(0, 2).map(({ node }) => node.id));
  return {
    state: explained ? "explained" : "unknown",
    hypotheses,
    ruledOut: ruledOut(scene, blamed),
  };
}
