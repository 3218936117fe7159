/**
 * The pages of a mesh's proxies in Prometheus's text format, made from the reference load (`mesh.ts`) at any moment: counters
 * are functions of time. What a scrape configuration attaches (instance, job, namespace) is not on the page. Every
 * sixteenth target is replaced again and again, as pods are: then all its series are new.
 */
import { Buffer } from "node:buffer";
import { MeshLoad, type MeshTarget, valueAt } from "./mesh.ts";

/** One step of `valueAt`. */
const stepMs = 15_000;
/** Some weeks, so that counters have a usual size. */
const beginningMs = 2_000_000_000;
const replacedEveryMs = 240_000;
const attached = new Set(["__name__", "instance", "job", "namespace"]);

export class IstioPages {
  readonly mesh: MeshLoad;
  readonly #targets: { generation: number; target: MeshTarget; prefixes: readonly Buffer[] }[];
  #buffer = Buffer.allocUnsafe(1024 * 1024);

  constructor(series: number) {
    this.mesh = new MeshLoad({ series });
    this.#targets = this.mesh.targets.map((target) => ({
      generation: 0,
      target,
      prefixes: prefixesOf(target),
    }));
  }

  /** Series on the page of a target. */
  seriesOf(index: number): number {
    return this.mesh.targets[index]?.series.length ?? 0;
  }

  /** A target's page; valid until the next call. */
  page(index: number, nowMs: number): Buffer {
    const { target, prefixes } = this.#at(index, nowMs);
    const step = (nowMs % beginningMs) / stepMs;
    let at = 0;
    for (const [i, prefix] of prefixes.entries()) {
      if (at + prefix.length + 40 > this.#buffer.length) this.#grow();
      at += prefix.copy(this.#buffer, at);
      at += this.#buffer.write(`${valueAt(target, i, step)}\n`, at, "latin1");
    }
    return this.#buffer.subarray(0, at);
  }

  #at(index: number, nowMs: number) {
    const known = this.#targets[index];
    if (!known) throw new Error(`no target ${index}`);
    const generation = index % 16 === 0 ? Math.floor((nowMs + index * 997) / replacedEveryMs) : 0;
    if (known.generation === generation) return known;
    const target = this.mesh.replaced(index, generation);
    const replaced = { generation, target, prefixes: prefixesOf(target) };
    this.#targets[index] = replaced;
    return replaced;
  }

  #grow(): void {
    const grown = Buffer.allocUnsafe(this.#buffer.length * 2);
    this.#buffer.copy(grown);
    this.#buffer = grown;
  }
}

/** What stands before each value. */
function prefixesOf(target: MeshTarget): readonly Buffer[] {
  let family = "";
  return target.series.map((series, i) => {
    const name = series["__name__"] ?? "";
    const labels = Object.entries(series).filter(([label]) => !attached.has(label));
    const text = labels.map(([label, value]) => `${label}="${value}"`).join(",");
    const base = name.replace(/_(?:bucket|sum|count)$/, "");
    const counts = target.isGauge[i] === 1 ? "gauge" : "counter";
    const type = base === name ? counts : "histogram";
    const head = base === family ? "" : `# TYPE ${base} ${type}\n`;
    family = base;
    return Buffer.from(`${head}${name}{${text}} `);
  });
}

/** A scrape configuration for Prometheus and for us alike: one job, one path a target. */
export function scrapeConfigOf(mesh: MeshLoad, address: string, intervalMs: number): string {
  const targets = mesh.targets.map(({ instance }, i) => ({
    targets: [address],
    labels: { __metrics_path__: `/proxy/${i}`, instance, namespace: mesh.namespace },
  }));
  const interval = `${intervalMs}ms`;
  // JSON is YAML.
  return JSON.stringify({
    global: { scrape_interval: interval, scrape_timeout: interval },
    scrape_configs: [{ job_name: "kubernetes-pods", static_configs: targets }],
  });
}
