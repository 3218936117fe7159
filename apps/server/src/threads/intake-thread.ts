/**
 * The thread that takes spans and log lines in: decoding, judging and encoding them is the bulk of the work and handles
 * bytes that others made, so it happens apart from the thread that pages, which only writes the finished frames.
 */
import { parentPort, workerData } from "node:worker_threads";
import { LogTailer, Masker, PodWatch, SignalIntake } from "@skopos/ingest";
import { invariant, messageOf, sleep, systemClock } from "@skopos/model";
import { LogStore, PatternStore, TraceStore } from "@skopos/store";
import { giveWayToPaging } from "./give-way.ts";
import type { IntakeCalls, IntakeSettings, IntakeThreadData } from "./intake-calls.ts";
import { acceptSignals } from "./intake-pushes.ts";
import { portLog } from "./port-log.ts";
import { RemoteJournal } from "./remote-journal.ts";
import { serveCalls } from "./rpc.ts";

const patternsEveryMs = 10_000;
/** How long log files wait for what the cluster says of their pods; then their paths alone name them. */
const podsMsMax = 5000;

type LogFiles = NonNullable<IntakeSettings["logFiles"]>;

invariant(parentPort, "the intake thread has a parent");
const port = parentPort;
const data = workerData as IntakeThreadData;
const journal = new RemoteJournal(data.journal);
giveWayToPaging();
const log = portLog(port);
const { masking, logFiles, ...limits } = data.settings;
const masker = new Masker(masking);
const intake = new SignalIntake({
  spans: new TraceStore(journal),
  logs: new LogStore(journal),
  patterns: new PatternStore(journal),
  clock: systemClock,
  masker,
  ...limits,
});

const files = logFiles && readFiles(logFiles);

/** Container log files go the way of pushes; when the journal is full they wait where they are. */
function readFiles({ dir, positionsFile, node, kubernetes }: LogFiles) {
  const pods = new PodWatch(kubernetes, systemClock, node);
  const tailer = new LogTailer({
    dir,
    positionsFile,
    clock: systemClock,
    take: (records) => intake.takeLogs({ records, rejected: 0, cut: 0 }, "whole"),
    podOf: (uid, namespace, pod) => pods.podOf(uid, namespace, pod),
    onTrouble: (reason) => log.warn({ reason }, "container logs cannot be read now"),
  });
  const stopping = new AbortController();
  const begin = async () => {
    await Promise.race([pods.listed, sleep(systemClock, podsMsMax, stopping.signal)]);
    if (!stopping.signal.aborted) tailer.start();
  };
  void begin();
  return {
    async stop() {
      stopping.abort();
      await tailer.stop();
      await pods.stop();
    },
  };
}

const closing = new AbortController();

/** Counts of templates are worth no refusal: what cannot be written now is left out, and said. */
async function flushPatterns(): Promise<void> {
  try {
    await intake.flushPatterns();
  } catch (error) {
    log.warn({ error: messageOf(error) }, "counts of log templates could not be written");
  }
}

/** Once more at the end. */
async function keepFlushing(): Promise<void> {
  while (!closing.signal.aborted) {
    await sleep(systemClock, patternsEveryMs, closing.signal);
    await flushPatterns();
  }
}
const flushed = keepFlushing();

serveCalls<IntakeCalls>(port, {
  push: (push) => acceptSignals(push, intake),
  stats: () => ({ ...intake.counts, masked: masker.counts }),
  close: async () => {
    await files?.stop();
    closing.abort();
    await flushed;
    setImmediate(() => {
      data.journal.close();
      port.close();
    });
  },
});
