/**
 * Takes log lines: encodes them once, as blocks of rows of `logs`, and has them acknowledged by the journal. Labels are
 * written by name, ascending, since the hash of that text is the stream. The columns are `logColumns`; see trace-store.ts.
 */
import type { LabelMap, LogRecord, LogSink } from "@skopos/model";
import { frameKinds } from "../journal/frame.ts";
import type { JournalWriter } from "../journal/journal.ts";
import { frameBytesWanted, textMap } from "./trace-store.ts";
import { MapColumn, NativeBlock, PlainColumn } from "./native-block.ts";

export const logColumns = ["time_ns", "labels", "metadata", "line"] as const;

/** An empty value means that the label is absent. */
export function sortedLabels(labels: LabelMap): LabelMap {
  const pairs = Object.entries(labels).filter(([, value]) => value !== "");
  return Object.fromEntries(pairs.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
}

export class LogStore implements LogSink {
  readonly #journal: JournalWriter;
  readonly #times = new PlainColumn();
  readonly #labels = new MapColumn();
  readonly #metadata = new MapColumn();
  readonly #lines = new PlainColumn();
  readonly #block = new NativeBlock([
    { name: "time_ns", type: "Int64", values: this.#times },
    { name: "labels", type: textMap, values: this.#labels },
    { name: "metadata", type: textMap, values: this.#metadata },
    { name: "line", type: "String", values: this.#lines },
  ]);

  constructor(journal: JournalWriter) {
    this.#journal = journal;
  }

  /** Also rejects with "overloaded" when the journal's buffer is full. */
  async append(records: readonly LogRecord[]): Promise<void> {
    const block = this.#block;
    // What an earlier call left when it failed half-way was never in the journal.
    block.clear();
    let position = 0;
    // Lines of one stream come together and share the object.
    let labels: LabelMap | undefined;
    for (const record of records) {
      this.#times.int64(record.timeNs);
      if (labels === record.labels) this.#labels.again();
      else {
        labels = record.labels;
        this.#labels.row(sortedLabels(labels));
      }
      this.#metadata.row(record.metadata);
      this.#lines.text(record.line);
      block.endRow();
      if (block.sizeBytes < frameBytesWanted) continue;
      position = this.#journal.append(frameKinds.logBlocks, block.take());
      labels = undefined;
    }
    if (block.rows > 0) position = this.#journal.append(frameKinds.logBlocks, block.take());
    if (position > 0) await this.#journal.flushed(position);
  }
}
