/** The expressions of Istio's Grafana dashboards, with Grafana's variables filled in. */
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";

interface Panel {
  readonly targets?: readonly { readonly expr?: string }[];
  readonly panels?: readonly Panel[];
}

function expressionsOf(panels: readonly Panel[]): string[] {
  return panels.flatMap(({ targets = [], panels: inner = [] }) => [
    ...targets.flatMap(({ expr }) => (expr === undefined || expr === "" ? [] : [expr])),
    ...expressionsOf(inner),
  ]);
}

/** Every distinct expression. `conformanceDir` holds the folder `istio-dashboards`. */
export function dashboardExpressions(conformanceDir: string): string[] {
  const dir = path.join(conformanceDir, "istio-dashboards");
  const expressions = new Set<string>();
  for (const name of readdirSync(dir).filter((file) => file.endsWith(".json"))) {
    const board = JSON.parse(readFileSync(path.join(dir, name), "utf8")) as { panels: Panel[] };
    for (const expression of expressionsOf(board.panels)) expressions.add(expression);
  }
  return [...expressions];
}

export interface DashboardSubject {
  readonly namespace: string;
  readonly workload: string;
  readonly rateInterval: string;
  readonly interval: string;
}

/** Throws for a variable that has no value here. */
export function filledIn(expression: string, subject: DashboardSubject): string {
  const { namespace, workload, rateInterval, interval } = subject;
  const values: Readonly<Record<string, string>> = {
    __rate_interval: rateInterval,
    __interval: interval,
    namespace,
    workload,
    service: `${workload}.${namespace}.svc.cluster.local`,
    qrep: "source|destination",
    srcns: ".*",
    srcwl: ".*",
    srccluster: ".*",
    dstns: ".*",
    dstwl: ".*",
    dstsvc: ".*",
    dstcluster: ".*",
  };
  return expression.replaceAll(/\$\{?(\w+)\}?/g, (whole, name: string) => {
    const value = values[name];
    if (value === undefined) throw new Error(`no value for ${whole} of ${expression}`);
    return value;
  });
}
