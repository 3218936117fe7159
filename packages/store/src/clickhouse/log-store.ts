/**
 * Takes log lines: encodes them once, as rows of `logs`, and has them acknowledged by the journal. Labels are written by
 * name, ascending, since the hash of that text is the stream. The columns are `logColumns`; see trace-store.ts.
 */
import type { LabelMap, LogRecord, LogSink } from "@skopos/model";
import { frameKinds } from "../journal/frame.ts";
import type { JournalWriter } from "../journal/journal.ts";
import { frameBytesWanted } from "./trace-store.ts";
import { TsvRows } from "./tsv-rows.ts";

export const logColumns = ["time_ns", "labels", "metadata", "line"] as const;

/** An empty value means that the label is absent. */
export function sortedLabels(labels: LabelMap): LabelMap {
  const pairs = Object.entries(labels).filter(([, value]) => value !== "");
  return Object.fromEntries(pairs.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
}

export class LogStore implements LogSink {
  readonly #journal: JournalWriter;
  readonly #rows = new TsvRows();

  constructor(journal: JournalWriter) {
    this.#journal = journal;
  }

  /** Also rejects with "overloaded" when the journal's buffer is full. */
  async append(records: readonly LogRecord[]): Promise<void> {
    // What an earlier call left when it failed half-way was never in the journal.
    this.#rows.clear();
    let position = 0;
    // Lines of one stream come together and share the object.
    let labels: LabelMap | undefined;
    let labelsField = "";
    for (const record of records) {
      const rows = this.#rows;
      rows.plain(String(record.timeNs));
      if (labels === record.labels) rows.raw(labelsField);
      else {
        labels = record.labels;
        labelsField = rows.captured(() => rows.map(sortedLabels(record.labels)));
      }
      rows.map(record.metadata);
      rows.text(record.line);
      rows.endRow();
      if (rows.sizeBytes >= frameBytesWanted)
        position = this.#journal.append(frameKinds.logs, rows.take());
    }
    if (this.#rows.sizeBytes > 0)
      position = this.#journal.append(frameKinds.logs, this.#rows.take());
    if (position > 0) await this.#journal.flushed(position);
  }
}
