/**
 * The thread that pages: scrapes and pushes come in here, the head is owned here, rules are evaluated and notified here. It
 * needs neither ClickHouse nor the web, and answers no query of people.
 */
import { randomInt } from "node:crypto";
import path from "node:path";
import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import {
  MetadataBook,
  parseScrapeConfig,
  RemoteWriteReceiver,
  type Scraper,
  startScraper,
} from "@skopos/ingest";
import { invariant, messageOf, SkoposError, systemClock } from "@skopos/model";
import { createMetricEngine } from "@skopos/promql";
import {
  createMaskedReader,
  Deletions,
  HeadMarks,
  Journal,
  JournalReader,
  MetricStore,
  readCarriedThrough,
  sliceMs,
  Tombstones,
} from "@skopos/store";
import { startAlerting } from "./alerting.ts";
import { JournalHold } from "./journal-hold.ts";
import { watchLoopDelay } from "./loop-delay.ts";
import { portLog } from "./port-log.ts";
import { acceptPush } from "./pushes.ts";
import { serveJournal } from "./remote-journal.ts";
import { serveCalls } from "./rpc.ts";
import type {
  TargetStatus,
  TelemetryCalls,
  TelemetryStats,
  TelemetryThreadData,
} from "./telemetry-calls.ts";

const segmentBytesMax = 64 * 2 ** 20;
const journalBytesMax = 32 * 2 ** 30;
/** Journal that is kept for receivers of remote write that are away. */
const remoteWriteBytesMax = 8 * 2 ** 30;
/** How often the head is snapshot, so that the journal can be cut and the next start is quick. */
const checkpointEveryMs = 5 * 60_000;
/** So soon after a start that replayed the journal: a program that dies again and again must not replay more each time. */
const checkpointFirstMs = 45_000;

/** What cannot be carried stays in the head up to so many times its retention. */
const keepFactor = 2;

invariant(parentPort, "the telemetry thread has a parent");
const port = parentPort;
const data = workerData as TelemetryThreadData;
const log = portLog(port);
const loopDelay = watchLoopDelay();

async function start(): Promise<void> {
  const clock = systemClock;
  const journalDir = path.join(data.dir, "journal");
  const journal = await Journal.open({
    dir: journalDir,
    clock,
    segmentBytesMax,
    bytesMax: journalBytesMax,
  });
  const journalReader = await JournalReader.open({ dir: journalDir, clock });
  const metrics = await MetricStore.open({
    dir: path.join(data.dir, "head"),
    journal,
    journalReader,
    clock,
    retentionMs: data.headRetentionMs,
    head: { seriesMax: data.seriesMax, groupSeriesMax: data.seriesMax },
    carriage: {
      sliceMs,
      sealAfterMs: data.history.carryAfterMs,
      keepMsMax: keepFactor * data.headRetentionMs,
      carriedThroughMs: await readCarriedThrough(data.history.watermarkFile),
    },
  });
  const marks = new HeadMarks(metrics.share());
  const deletions = await Deletions.open(data.history.tombstonesFile, marks, clock);
  await journalReader.close();
  const hold = data.remoteWrites
    ? new JournalHold(journal.durableThrough, remoteWriteBytesMax)
    : undefined;
  for (const warning of metrics.restored.warnings) log.warn({}, warning);
  // The head alone: nobody's page waits for ClickHouse.
  const reader = createMaskedReader(
    metrics.reader(),
    new Tombstones(data.history.tombstonesFile, marks),
  );
  const engine = createMetricEngine({ reader, clock });
  const alerting = startAlerting(data, {
    engine,
    sink: metrics,
    clock,
    onAlerts: (alerts) => send("alerts", alerts),
  });
  const config = parseScrapeConfig(data.scrapeConfig.text, data.scrapeConfig.file);
  for (const setting of config.ignored)
    log.warn({ setting }, "this setting of the scrape configuration has no effect");
  const scraper = startScraper({
    config,
    sink: metrics,
    clock,
    kubernetes: data.kubernetes,
    discover: data.discover,
    onRules: (files) => alerting.setClusterRules(files),
  });
  const pushed = new MetadataBook();
  const seed = randomInt(2 ** 32);
  const remoteWrite = new RemoteWriteReceiver(metrics, "remote-write remote", seed);
  const intake = { metrics, remoteWrite, clock, metadata: pushed };
  /** Other threads' ways to the journal. */
  const writers = new Set<MessagePort>();
  /** What the carrier still needs; unknown until it said so once. */
  let carriedThrough = 0;

  const checkpoint = async () => {
    const through = await metrics.checkpoint();
    hold?.epoch(through);
    const kept = hold?.decide(journal.durableThrough) ?? { before: Infinity, givenUpBytes: 0 };
    if (kept.givenUpBytes > 0)
      log.error(
        { bytes: kept.givenUpBytes },
        "a receiver of remote write has been away for too long: the oldest samples it has not taken are let go",
      );
    await journal.truncateBefore(Math.min(through, carriedThrough, kept.before));
  };
  let cancelCheckpoint = () => {};
  const checkpointLater = (delayMs = checkpointEveryMs) => {
    cancelCheckpoint = clock.after(delayMs, () => {
      checkpoint()
        .catch((error: unknown) =>
          log.error(
            { error: messageOf(error) },
            "the head could not be saved; the journal keeps what it has",
          ),
        )
        .finally(() => checkpointLater());
    });
  };
  checkpointLater(metrics.restored.replayedSamples > 0 ? checkpointFirstMs : checkpointEveryMs);

  const send = serveCalls<TelemetryCalls>(port, {
    push: (push) => acceptPush(push, intake),
    attachJournal: ({ port: writer }) => {
      writers.add(writer);
      writer.on("close", () => writers.delete(writer));
      serveJournal(writer, journal);
    },
    stats: () => statsOf(metrics, scraper, alerting.warnings()),
    targets: () =>
      scraper.pool.targets().map(({ lastScrapeMs, durationMs, ...rest }): TargetStatus => ({
        ...rest,
        lastScrapeMs: lastScrapeMs ?? null,
        durationMs: durationMs ?? null,
      })),
    droppedTargets: () => {
      const targets = scraper.pool.droppedTargets();
      const counts = Object.fromEntries(
        scraper.pool.summaries().map(({ job, dropped }) => [job, dropped]),
      );
      return { targets, counts };
    },
    scrapePools: () => {
      const errors = scraper.discoveryErrors();
      return scraper.pool
        .summaries()
        .map((summary) => ({ ...summary, discoveryError: errors[summary.job] ?? "" }));
    },
    clusterScrapeTexts: () => scraper.cluster?.scrapeTexts() ?? [],
    targetMetadata: () => scraper.pool.targetMetadata(),
    alerts: () => alerting.alerts(),
    rules: () => alerting.groups(),
    metadata: ({ metric, limit }) => {
      const found = [...new Map([...pushed.families, ...scraper.pool.metadata()])]
        .filter(([name]) => metric === undefined || name === metric)
        .slice(0, limit);
      return Object.fromEntries(
        found.map(([name, { type, help, unit }]) => [name, [{ type, help, unit }]]),
      );
    },
    carried: ({ position }) => {
      carriedThrough = position;
    },
    historyCarried: ({ throughMs }) => metrics.carriedThrough(throughMs),
    historyCleaned: ({ ids }) => deletions.cleaned(ids),
    deleteSeries: ({ matcherSets, startMs, endMs }) =>
      deletions.delete(matcherSets, startMs, endMs),
    cleanTombstones: () => deletions.cleaned([]),
    remoteWritten: ({ position }) => hold?.sent(position),
    close: async () => {
      cancelCheckpoint();
      for (const writer of writers) writer.close();
      await scraper.stop();
      await alerting.stop();
      await checkpoint();
      await metrics.close();
      await journal.close();
      setImmediate(() => port.close());
    },
  });
  send("ready", { head: metrics.share(), restored: metrics.restored });
}

function statsOf(
  metrics: MetricStore,
  scraper: Scraper,
  warnings: readonly string[],
): TelemetryStats {
  const { series, samplesAppended, chunks, bytes, oldestMs, newestMs } = metrics.stats();
  const targets = scraper.pool.targets();
  return {
    seriesActive: series,
    samplesTotal: samplesAppended,
    chunks,
    headBytes: bytes,
    oldestMs: oldestMs ?? null,
    newestMs: newestMs ?? null,
    targetsUp: targets.filter(({ health }) => health === "up").length,
    targetsDown: targets.filter(({ health }) => health === "down").length,
    loopDelayMs: loopDelay.read(),
    restoredSamples: metrics.restored.snapshotSamples + metrics.restored.replayedSamples,
    restoring: metrics.restoring ?? null,
    warnings: [
      ...warnings,
      ...metrics.restoreWarnings,
      ...Object.entries(scraper.discoveryErrors()).map(
        ([job, error]) => `discovery of ${job}: ${error}`,
      ),
    ],
  };
}

start().catch((error: unknown) => {
  const code = error instanceof SkoposError ? error.code : "internal";
  port.postMessage({ event: "failed", value: { code, message: messageOf(error) } });
  setImmediate(() => port.close());
});
