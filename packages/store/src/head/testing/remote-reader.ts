/** Test double of a query worker's owner: asks a `HeadView` in a real thread, one call at a time. */
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import {
  type LabelSelect,
  LabelSet,
  type MetricReader,
  type MetricSelect,
  type SeriesBlock,
  SkoposError,
} from "@skopos/model";
import type { HeadShare } from "../memory.ts";

type SentSelect = Omit<MetricSelect, "cancelled"> & { readonly cancelled: boolean };

export type ReaderCall =
  | { readonly method: "select"; readonly request: SentSelect }
  | { readonly method: "series"; readonly request: LabelSelect }
  | { readonly method: "labelNames"; readonly request: LabelSelect }
  | { readonly method: "labelValues"; readonly name: string; readonly request: LabelSelect };

export type ReaderAnswer =
  | { readonly value: unknown }
  | { readonly code: string; readonly message: string };

type SentBlock = Omit<SeriesBlock, "labels"> & { readonly labels: readonly string[][] };

/**
 * A worker whose entry is TypeScript. On Node 20 `--import tsx` does not reach a worker's entry file, so a line of
 * JavaScript registers the loader first.
 */
export function startTypeScriptWorker(entry: URL, workerData: unknown): Worker {
  const source = `import("tsx/esm/api").then(({ register }) => {
    register();
    return import(${JSON.stringify(entry.href)});
  })`;
  return new Worker(source, { eval: true, workerData });
}

export class RemoteReader implements MetricReader {
  readonly #worker: Worker;

  constructor(share: HeadShare) {
    this.#worker = startTypeScriptWorker(new URL("./reader-worker.ts", import.meta.url), share);
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }

  async #ask(call: ReaderCall): Promise<unknown> {
    this.#worker.postMessage(call, []);
    const [answer] = (await once(this.#worker, "message")) as [ReaderAnswer];
    if ("code" in answer) throw new SkoposError(answer.code, answer.message);
    return answer.value;
  }

  async select(request: MetricSelect): Promise<SeriesBlock> {
    const sent = { ...request, cancelled: request.cancelled?.() ?? false };
    const block = (await this.#ask({ method: "select", request: sent })) as SentBlock;
    return { ...block, labels: block.labels.map((flat) => LabelSet.fromSorted(flat)) };
  }

  async series(request: LabelSelect): Promise<LabelSet[]> {
    const found = (await this.#ask({ method: "series", request })) as string[][];
    return found.map((flat) => LabelSet.fromSorted(flat));
  }

  async labelNames(request: LabelSelect): Promise<string[]> {
    return (await this.#ask({ method: "labelNames", request })) as string[];
  }

  async labelValues(name: string, request: LabelSelect): Promise<string[]> {
    return (await this.#ask({ method: "labelValues", name, request })) as string[];
  }
}
