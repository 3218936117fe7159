/** Test worker: a `HeadView` behind messages. Label sets travel as flat arrays. */
import { parentPort, workerData } from "node:worker_threads";
import { type LabelSet, SkoposError } from "@skopos/model";
import { HeadView } from "../head-view.ts";
import type { ReaderAnswer, ReaderCall } from "./remote-reader.ts";

const view = new HeadView(workerData);
const flat = (labels: readonly LabelSet[]) => labels.map((set) => set.flat);

async function answer(call: ReaderCall): Promise<unknown> {
  if (call.method === "select") {
    const { cancelled, ...request } = call.request;
    const block = await view.select(cancelled ? { ...request, cancelled: () => true } : request);
    return { ...block, labels: flat(block.labels) };
  }
  if (call.method === "series") return flat(await view.series(call.request));
  if (call.method === "labelNames") return view.labelNames(call.request);
  return view.labelValues(call.name, call.request);
}

parentPort?.on("message", (call: ReaderCall) => {
  answer(call).then(
    (value) => parentPort?.postMessage({ value } satisfies ReaderAnswer, []),
    (error: unknown) => {
      const code = error instanceof SkoposError ? error.code : "broken";
      parentPort?.postMessage({ code, message: String(error) } satisfies ReaderAnswer, []);
    },
  );
});
