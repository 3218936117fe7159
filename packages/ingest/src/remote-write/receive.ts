/**
 * One receiver of remote write: decodes requests, writes them to the sink, and remembers between them what the labels of its
 * senders mean.
 */
import type { GroupRef, MetricSink, RefKeeper, SeriesRef } from "@skopos/model";
import { type BatchLimits, batchLimits, type MetricBatch } from "../metric-batch/batch.ts";
import { type BatchOutcome, writeBatch } from "../metric-batch/write.ts";
import { SnappyInflater } from "../wire/snappy.ts";
import { decodeRemoteWrite, type RemoteWriteHeaders } from "./decode.ts";
import { SeriesShortcut } from "./series-shortcut.ts";

interface Received {
  readonly version: 1 | 2;
  readonly batch: MetricBatch;
  readonly outcome: BatchOutcome;
}

export class RemoteWriteReceiver implements RefKeeper {
  readonly #sink: MetricSink;
  readonly #group: string;
  readonly #limits: BatchLimits;
  readonly #inflater = new SnappyInflater();
  readonly #shortcut: SeriesShortcut;
  #groupRef: GroupRef | undefined;

  /**
   * `group` names the senders, and is this receiver's alone: nobody else may close it. `seed` is any number of 32 bits,
   * another one in every process.
   */
  constructor(sink: MetricSink, group: string, seed: number, limits: BatchLimits = batchLimits) {
    this.#sink = sink;
    this.#group = group;
    this.#limits = limits;
    this.#shortcut = new SeriesShortcut(seed);
  }

  /** Throws as `decodeRemoteWrite` does, and then has written nothing. */
  receive(body: Uint8Array, headers: RemoteWriteHeaders, nowMs: number): Received {
    const groupRef = this.#sink.openGroup(this.#group, this);
    if (groupRef !== this.#groupRef) this.#shortcut.forgetAll();
    this.#groupRef = groupRef;
    const state = { inflater: this.#inflater, shortcut: this.#shortcut };
    const { version, batch } = decodeRemoteWrite(body, headers, state, this.#limits);
    const outcome = writeBatch(batch, this.#sink, this.#group, nowMs);
    this.#shortcut.learn(outcome.refs);
    return { version, batch, outcome };
  }

  forget(gone: ReadonlySet<SeriesRef>): void {
    this.#shortcut.forget(gone);
  }
}
