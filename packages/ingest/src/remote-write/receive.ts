/**
 * One receiver of remote write: decodes requests, writes them to the sink, and remembers between them what the labels of its
 * senders mean.
 *
 * What a sender scraped together comes at one time, whatever requests and connections it is spread over. So series go into
 * groups by the target they name (`job` and `instance`), as if it had been scraped here; a fixed number of groups, so that
 * nobody needs to know when a target has gone.
 */
import type { GroupRef, LabelSet, MetricSink, RefKeeper, SeriesRef } from "@skopos/model";
import { type BatchLimits, batchLimits, type MetricBatch } from "../metric-batch/batch.ts";
import { type BatchOutcome, type SeriesGroups, writeBatch } from "../metric-batch/write.ts";
import { hashText } from "../scrape/loop.ts";
import { SnappyInflater } from "../wire/snappy.ts";
import { decodeRemoteWrite, type RemoteWriteHeaders } from "./decode.ts";
import { SeriesShortcut } from "./series-shortcut.ts";

/** Targets share a group where there are many of them. */
const groupsMax = 4096;
/** In place of a group's number: of series that name no target. */
const nobody = -1;

interface Received {
  readonly version: 1 | 2;
  readonly batch: MetricBatch;
  readonly outcome: BatchOutcome;
}

export class RemoteWriteReceiver implements RefKeeper, SeriesGroups {
  readonly #sink: MetricSink;
  readonly #name: string;
  readonly #limits: BatchLimits;
  readonly #inflater = new SnappyInflater();
  readonly #shortcut: SeriesShortcut;
  readonly #groups = new Map<number, GroupRef>();
  /** By the refs that the shortcut knows. */
  #groupOfRef = new Uint32Array(1024);

  /**
   * `name` is of the senders, and its groups are this receiver's alone: nobody else may close them. `seed` is any number of
   * 32 bits, another one in every process.
   */
  constructor(sink: MetricSink, name: string, seed: number, limits: BatchLimits = batchLimits) {
    this.#sink = sink;
    this.#name = name;
    this.#limits = limits;
    this.#shortcut = new SeriesShortcut(seed);
  }

  /** Throws as `decodeRemoteWrite` does, and then has written nothing. */
  receive(body: Uint8Array, headers: RemoteWriteHeaders, nowMs: number): Received {
    const state = { inflater: this.#inflater, shortcut: this.#shortcut };
    const { version, batch } = decodeRemoteWrite(body, headers, state, this.#limits);
    const outcome = writeBatch(batch, this.#sink, this, nowMs);
    this.#shortcut.learn(outcome.refs);
    for (const [i, series] of batch.series.entries()) {
      const ref = outcome.refs[i];
      if (typeof series !== "number" && ref !== undefined) this.#note(ref, this.groupFor(series));
    }
    return { version, batch, outcome };
  }

  groupFor(labels: LabelSet): GroupRef {
    const target = labels.get("instance") || labels.get("pod");
    const job = labels.get("job");
    const number =
      job === "" && target === "" ? nobody : mixed(hashText(`${job}\n${target}`)) % groupsMax;
    const known = this.#groups.get(number);
    if (known !== undefined) return known;
    const group = this.#sink.openGroup(
      number === nobody ? this.#name : `${this.#name} ${number}`,
      this,
    );
    this.#groups.set(number, group);
    return group;
  }

  groupOf(ref: SeriesRef): GroupRef {
    return this.#groupOfRef[ref] ?? 0;
  }

  #note(ref: SeriesRef, group: GroupRef): void {
    if (ref >= this.#groupOfRef.length) {
      const grown = new Uint32Array(Math.max(2 * this.#groupOfRef.length, ref + 1));
      grown.set(this.#groupOfRef);
      this.#groupOfRef = grown;
    }
    this.#groupOfRef[ref] = group;
  }

  forget(gone: ReadonlySet<SeriesRef>): void {
    this.#shortcut.forget(gone);
  }
}

/** Spreads the low bits, which names that differ in their last characters share. */
function mixed(hash: number): number {
  const spread = Math.imul(hash ^ (hash >>> 16), 0x45d9_f3b5);
  return (spread ^ (spread >>> 15)) >>> 0;
}
