/** Carries the journal's metric frames into a head. */
import { type GroupRef, SkoposError } from "@skopos/model";
import type { JournalReader } from "../journal/journal-reader.ts";
import { GrowingColumn, u32 } from "./cells.ts";
import type { Head } from "./head.ts";
import {
  type Declaration,
  metricFrameKind,
  MetricFrameDecoder,
  type Page,
} from "./metrics-frame.ts";

export class MetricReplay {
  readonly #head: Head;
  readonly #decoder = new MetricFrameDecoder();
  /** By the group's number in the journal. */
  readonly #groups = new Map<number, GroupRef>();
  /** By the ref in the journal: the head's, plus one. Bounded by the writer's limit of series. */
  readonly #refs = new GrowingColumn();
  samples = 0;
  #undeclaredPages = 0;
  #refusedSeries = 0;
  #truncated: string | undefined;

  constructor(head: Head) {
    this.#head = head;
  }

  /** For people; empty when all went well. */
  get warnings(): string[] {
    const out: string[] = [];
    if (this.#truncated !== undefined)
      out.push(`${this.#truncated}: replayed what the journal still keeps`);
    if (this.#undeclaredPages > 0)
      out.push(
        `${this.#undeclaredPages} pages were of groups whose names the journal no longer has`,
      );
    if (this.#refusedSeries > 0)
      out.push(`${this.#refusedSeries} series did not fit the head's limits any more`);
    return out;
  }

  /** Replays from a position to what is durable. */
  async run(journal: JournalReader, from: number): Promise<void> {
    try {
      for await (const frame of journal.read(from))
        if (frame.kind === metricFrameKind) this.#apply(frame.payload);
    } catch (error) {
      if (from === 0 || !(error instanceof SkoposError) || error.code !== "journal-truncated")
        throw error;
      this.#truncated = error.message;
      await this.run(journal, 0);
    }
  }

  #apply(payload: Uint8Array): void {
    const frame = this.#decoder.decode(payload);
    if (frame.type === "declare") this.#declare(frame);
    else if (frame.type === "page") this.#page(frame);
    else {
      const group = this.#groups.get(frame.group);
      const known = frame.ref < this.#refs.length ? this.#refs.at(frame.ref) : 0;
      if (group === undefined || known === 0) this.#undeclaredPages++;
      else if (frame.type === "exemplar") this.#head.appendExemplar(known - 1, frame.exemplar);
      else {
        const { timeMs, histogram } = frame;
        this.samples += this.#head.appendHistogram(group, known - 1, timeMs, histogram).appended;
      }
    }
  }

  #declare(frame: Declaration): void {
    const group = this.#head.openGroup(frame.key);
    this.#groups.set(frame.group, group);
    for (const [i, labels] of frame.labels.entries()) {
      const ref = this.#head.series(group, labels);
      if (ref === undefined) this.#refusedSeries++;
      this.#refs.set(frame.refs[i] ?? 0, ref === undefined ? 0 : ref + 1);
    }
  }

  #page(frame: Page): void {
    const group = this.#groups.get(frame.group);
    if (group === undefined) {
      this.#undeclaredPages++;
      return;
    }
    const { refs, values } = frame;
    const words = new Uint32Array(values.buffer, values.byteOffset, values.length * 2);
    let count = 0;
    for (let i = 0; i < frame.count; i++) {
      const known = u32(refs, i) < this.#refs.length ? this.#refs.at(u32(refs, i)) : 0;
      if (known === 0) continue;
      refs[count] = known - 1;
      words[2 * count] = u32(words, 2 * i);
      words[2 * count + 1] = u32(words, 2 * i + 1);
      count++;
    }
    this.samples += this.#head.appendPage(group, frame.timeMs, refs, values, count).appended;
  }
}
