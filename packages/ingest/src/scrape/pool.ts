/**
 * The targets of every job and their loops. Discovery hands in target groups; targets that stay keep their loop, new ones get
 * one, those that are gone are marked stale. Two groups that yield the same target share one loop.
 */
import { type Clock, type LabelMap, messageOf, type MetricSink } from "@skopos/model";
import type { Metadata } from "../exposition/page.ts";
import type { ScrapeJob } from "./config.ts";
import { createPageFetcher, type PageFetcher } from "./fetch.ts";
import { ScrapeLoop, type TargetStatus } from "./loop.ts";
import { compileRelabeling, type Relabeling } from "./relabel.ts";
import { makeTarget, type Target, type TargetGroup } from "./target.ts";

export interface PoolOptions {
  readonly sink: MetricSink;
  readonly clock: Clock;
  readonly jobs: readonly ScrapeJob[];
  /** For tests and other transports; by default HTTP as the job says. */
  readonly fetcher?: (job: ScrapeJob) => PageFetcher;
}

export interface DroppedTarget {
  readonly job: string;
  readonly discoveredLabels: LabelMap;
  /** "" when relabelling dropped it, else why its labels make no target. */
  readonly reason: string;
}

/** Of one job, where `keep_dropped_targets` does not say less. */
const droppedKeptMax = 1000;

/** A job and how it fares; plain data. */
export interface PoolSummary {
  readonly job: string;
  readonly up: number;
  readonly down: number;
  /** Not scraped yet. */
  readonly unknown: number;
  readonly dropped: number;
  /** Why nothing of the job is scraped, "" when it is. */
  readonly limitReason: string;
}

interface Pool {
  readonly job: ScrapeJob;
  readonly relabeling: Relabeling;
  readonly metricRelabeling: Relabeling;
  readonly fetcher: PageFetcher;
  readonly groups: Map<string, TargetGroup>;
  readonly loops: Map<string, ScrapeLoop>;
  dropped: readonly DroppedTarget[];
  droppedCount: number;
  /** Loops of this pool that are on their way out. */
  readonly ends: Set<Promise<void>>;
  /** Why no further target is scraped, "" when all are. */
  limitReason: string;
}

export class ScrapePool {
  readonly #options: PoolOptions;
  readonly #pools: Map<string, Pool>;
  /** Loops that are on their way out, by target key: a target that comes back waits for its old loop. */
  readonly #ending = new Map<string, Promise<void>>();
  #stopped = false;

  constructor(options: PoolOptions) {
    this.#options = options;
    this.#pools = new Map(options.jobs.map((job) => [job.name, this.#open(job)]));
  }

  #open(job: ScrapeJob): Pool {
    const { clock, fetcher } = this.#options;
    return {
      job,
      relabeling: compileRelabeling(job.relabel),
      metricRelabeling: compileRelabeling(job.metricRelabel),
      fetcher: fetcher ? fetcher(job) : createPageFetcher(job.http, job.protocols, clock),
      groups: new Map(),
      loops: new Map(),
      ends: new Set(),
      dropped: [],
      droppedCount: 0,
      limitReason: "",
    };
  }

  /** Takes up a job. Throws "bad-config" when a file it names cannot be read; then nothing has changed. */
  addJob(job: ScrapeJob): void {
    this.#pools.set(job.name, this.#open(job));
  }

  /** Resolves when the job's targets are no more scraped and marked stale. */
  async removeJob(name: string): Promise<void> {
    const pool = this.#pools.get(name);
    if (!pool) return;
    this.#pools.delete(name);
    pool.groups.clear();
    this.#sync(pool);
    await Promise.all(pool.ends);
    await pool.fetcher.close();
  }

  /** Replaces what `sourcePrefix` (one discovery of one job) contributes. A job the pool does not know is ignored. */
  setGroups(jobName: string, sourcePrefix: string, groups: readonly TargetGroup[]): void {
    const pool = this.#pools.get(jobName);
    if (!pool) return;
    for (const source of pool.groups.keys())
      if (source.startsWith(`${sourcePrefix}/`)) pool.groups.delete(source);
    for (const group of groups) pool.groups.set(`${sourcePrefix}/${group.source}`, group);
    this.#sync(pool);
  }

  #sync(pool: Pool): void {
    if (this.#stopped) return;
    const wanted = this.#wantedTargets(pool);
    for (const [key, loop] of pool.loops) {
      if (wanted.has(key)) continue;
      pool.loops.delete(key);
      this.#end(pool, loop, true);
    }
    const { sink, clock } = this.#options;
    const { job, metricRelabeling: relabeling, fetcher } = pool;
    for (const [key, target] of wanted) {
      if (pool.loops.has(key) || this.#ending.has(key)) continue;
      const loop = new ScrapeLoop({ target, job, relabeling, sink, clock, fetcher });
      pool.loops.set(key, loop);
      loop.start();
    }
  }

  #wantedTargets(pool: Pool): Map<string, Target> {
    const wanted = new Map<string, Target>();
    const dropped: DroppedTarget[] = [];
    const keptMax = Math.min(pool.job.limits.keepDropped || droppedKeptMax, droppedKeptMax);
    let droppedCount = 0;
    const drop = (labels: LabelMap, reason: string) => {
      droppedCount++;
      if (dropped.length < keptMax)
        dropped.push({ job: pool.job.name, discoveredLabels: labels, reason });
    };
    for (const group of pool.groups.values()) {
      for (const own of group.targets) {
        try {
          const made = makeTarget(pool.job, pool.relabeling, group, own);
          if (made.target) wanted.set(made.target.key, made.target);
          else drop(made.discoveredLabels.toMap(), "");
        } catch (error) {
          drop({ ...group.labels, ...own }, messageOf(error));
        }
      }
    }
    pool.dropped = dropped;
    pool.droppedCount = droppedCount;
    const { targets } = pool.job.limits;
    const over = targets > 0 && wanted.size > targets;
    pool.limitReason = over ? `target_limit: ${wanted.size} targets, ${targets} allowed` : "";
    // As Prometheus: over the limit no target of the job is scraped, rather than a chance part of them.
    return over ? new Map() : wanted;
  }

  #end(pool: Pool, loop: ScrapeLoop, markStale: boolean): void {
    const ended = this.#finish(pool, loop, markStale);
    this.#ending.set(loop.target.key, ended);
    pool.ends.add(ended);
    void ended.then(() => pool.ends.delete(ended));
  }

  async #finish(pool: Pool, loop: ScrapeLoop, markStale: boolean): Promise<void> {
    await loop.stop(markStale);
    this.#ending.delete(loop.target.key);
    this.#sync(pool);
  }

  /** Every target, in the order of the jobs. */
  targets(): TargetStatus[] {
    return [...this.#pools.values()].flatMap((pool) =>
      [...pool.loops.values()].map((loop) => loop.status),
    );
  }

  droppedTargets(): DroppedTarget[] {
    return [...this.#pools.values()].flatMap((pool) => pool.dropped);
  }

  /** By job, in their order. */
  summaries(): PoolSummary[] {
    return [...this.#pools.values()].map(({ job, loops, droppedCount, limitReason }) => {
      const counts = { up: 0, down: 0, unknown: 0 };
      for (const { status } of loops.values()) counts[status.health]++;
      return { job: job.name, ...counts, dropped: droppedCount, limitReason };
    });
  }

  /** What the targets say about their metric families; the first target to name a family wins. */
  metadata(): Map<string, Metadata> {
    const all = new Map<string, Metadata>();
    for (const pool of this.#pools.values())
      for (const loop of pool.loops.values())
        for (const [name, metadata] of loop.metadata) if (!all.has(name)) all.set(name, metadata);
    return all;
  }

  /** The same by target, each family with what that target says. */
  targetMetadata(): { target: LabelMap; families: ({ name: string } & Metadata)[] }[] {
    const all: { target: LabelMap; families: ({ name: string } & Metadata)[] }[] = [];
    for (const pool of this.#pools.values())
      for (const { target, metadata } of pool.loops.values()) {
        const families = [...metadata].map(([name, about]) => ({ name, ...about }));
        all.push({ target: target.labels.toMap(), families });
      }
    return all;
  }

  /** Stops every loop without marking series stale: the program will be back. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const pool of this.#pools.values()) {
      for (const loop of pool.loops.values()) this.#end(pool, loop, false);
      pool.loops.clear();
    }
    await Promise.all(this.#ending.values());
    await Promise.all([...this.#pools.values()].map((pool) => pool.fetcher.close()));
  }
}
