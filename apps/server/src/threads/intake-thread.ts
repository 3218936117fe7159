/**
 * The thread that takes spans and log lines in: decoding, judging and encoding them is the bulk of the work and handles
 * bytes that others made, so it happens apart from the thread that pages, which only writes the finished frames.
 */
import { parentPort, workerData } from "node:worker_threads";
import { Masker, SignalIntake } from "@skopos/ingest";
import { invariant, systemClock } from "@skopos/model";
import { LogStore, TraceStore } from "@skopos/store";
import type { IntakeCalls, IntakeThreadData } from "./intake-calls.ts";
import { acceptSignals } from "./intake-pushes.ts";
import { RemoteJournal } from "./remote-journal.ts";
import { serveCalls } from "./rpc.ts";

invariant(parentPort, "the intake thread has a parent");
const port = parentPort;
const data = workerData as IntakeThreadData;
const journal = new RemoteJournal(data.journal);
const { masking, ...limits } = data.settings;
const masker = new Masker(masking);
const intake = new SignalIntake({
  spans: new TraceStore(journal),
  logs: new LogStore(journal),
  clock: systemClock,
  masker,
  ...limits,
});

serveCalls<IntakeCalls>(port, {
  push: (push) => acceptSignals(push, intake),
  stats: () => ({ ...intake.counts, masked: masker.counts }),
  close: () => {
    setImmediate(() => {
      data.journal.close();
      port.close();
    });
  },
});
