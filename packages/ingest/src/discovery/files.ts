/**
 * Targets from files (`file_sd_configs`): read at the start, when their folder changes, and after each refresh interval. A file
 * that cannot be read or understood keeps the targets it last gave; one that is gone takes its targets along.
 */
import { type FSWatcher, readdirSync, readFileSync, statSync, watch } from "node:fs";
import path from "node:path";
import { type Clock, messageOf } from "@skopos/model";
import { parse } from "yaml";
import { IngestError } from "../errors.ts";
import type { TargetGroup } from "../scrape/target.ts";
import type { FileConfig } from "./config.ts";
import type { Discovery } from "./discovery.ts";
import { targetGroupsFrom } from "./target-list.ts";

export interface FileDiscoveryOptions {
  readonly config: FileConfig;
  readonly clock: Clock;
  readonly onGroups: (groups: TargetGroup[]) => void;
}

const fileBytesMax = 32 * 1024 * 1024;
const filesMax = 10_000;
/** Writers change a file in several steps. */
const gatherMs = 100;

export class FileDiscovery implements Discovery {
  readonly #options: FileDiscoveryOptions;
  #groups = new Map<string, TargetGroup[]>();
  #errors: string[] = [];
  #watchers: FSWatcher[] = [];
  #cancelRefresh: (() => void) | undefined;
  #cancelGather: (() => void) | undefined;

  constructor(options: FileDiscoveryOptions) {
    this.#options = options;
  }

  get lastError(): string {
    return this.#errors.join("; ");
  }

  start(): void {
    this.#watch();
    this.#refresh();
  }

  stop(): Promise<void> {
    this.#cancelRefresh?.();
    this.#cancelGather?.();
    for (const watcher of this.#watchers) watcher.close();
    this.#watchers = [];
    return Promise.resolve();
  }

  /** Watching makes changes quick to arrive; where it does not work, the refresh finds them later. */
  #watch(): void {
    for (const folder of new Set(this.#options.config.files.map((file) => path.dirname(file)))) {
      try {
        const watcher = watch(folder, { persistent: false }, () => this.#changed());
        watcher.on("error", () => watcher.close());
        this.#watchers.push(watcher);
      } catch {
        continue;
      }
    }
  }

  #changed(): void {
    if (this.#cancelGather) return;
    this.#cancelGather = this.#options.clock.after(gatherMs, () => {
      this.#cancelGather = undefined;
      this.#cancelRefresh?.();
      this.#refresh();
    });
  }

  #refresh(): void {
    const { config, clock, onGroups } = this.#options;
    const found = new Map<string, TargetGroup[]>();
    this.#errors = [];
    for (const file of this.#files()) {
      try {
        found.set(file, readTargets(file));
      } catch (error) {
        this.#errors.push(messageOf(error));
        const known = this.#groups.get(file);
        if (known) found.set(file, known);
      }
    }
    this.#groups = found;
    onGroups([...found.values()].flat());
    this.#cancelRefresh = clock.after(config.refreshMs, () => this.#refresh());
  }

  #files(): Set<string> {
    const files = new Set<string>();
    for (const pattern of this.#options.config.files)
      for (const file of matching(pattern)) if (files.size < filesMax) files.add(file);
    return files;
  }
}

function matching(pattern: string): string[] {
  const name = path.basename(pattern);
  if (!name.includes("*")) return exists(pattern) ? [pattern] : [];
  const folder = path.dirname(pattern);
  const parts = name.split("*").map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  const wanted = new RegExp(`^${parts.join("[^/]*")}$`);
  return exists(folder)
    ? readdirSync(folder)
        .filter((each) => wanted.test(each))
        .sort()
        .map((each) => path.join(folder, each))
    : [];
}

function exists(file: string): boolean {
  return statSync(file, { throwIfNoEntry: false }) !== undefined;
}

function readTargets(file: string): TargetGroup[] {
  if (statSync(file).size > fileBytesMax)
    throw new IngestError("too-large", `${file}: larger than ${fileBytesMax} bytes`);
  const text = readFileSync(file, "utf8");
  let value: unknown;
  try {
    value = /\.json$/i.test(file) ? JSON.parse(text) : parse(text);
  } catch (error) {
    throw new IngestError("bad-config", `${file}: ${messageOf(error)}`, { cause: error });
  }
  return targetGroupsFrom(value, file, { __meta_filepath: file });
}
