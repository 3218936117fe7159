/** Takes counts of log templates: rows of `log_patterns`, acknowledged by the journal. See trace-store.ts. */
import type { PatternCount, PatternSink } from "@skopos/model";
import { frameKinds } from "../journal/frame.ts";
import type { JournalWriter } from "../journal/journal.ts";
import { sortedLabels } from "./log-store.ts";
import { frameBytesWanted } from "./trace-store.ts";
import { TsvRows } from "./tsv-rows.ts";

export const patternColumns = [
  "labels",
  "template_id",
  "bucket_ms",
  "template",
  "sample",
  "count",
] as const;

export class PatternStore implements PatternSink {
  readonly #journal: JournalWriter;
  readonly #rows = new TsvRows();

  constructor(journal: JournalWriter) {
    this.#journal = journal;
  }

  /** Also rejects with "overloaded" when the journal's buffer is full. */
  async append(patterns: readonly PatternCount[]): Promise<void> {
    const rows = this.#rows;
    rows.clear();
    let position = 0;
    for (const pattern of patterns) {
      rows.map(sortedLabels(pattern.labels));
      rows.plain(BigInt(`0x${pattern.templateId}`).toString());
      rows.plain(String(Math.trunc(pattern.bucketMs)));
      rows.text(pattern.template);
      rows.text(pattern.sample);
      rows.plain(String(Math.trunc(pattern.count)));
      rows.endRow();
      if (rows.sizeBytes >= frameBytesWanted)
        position = this.#journal.append(frameKinds.patterns, rows.take());
    }
    if (rows.sizeBytes > 0) position = this.#journal.append(frameKinds.patterns, rows.take());
    if (position > 0) await this.#journal.flushed(position);
  }
}
