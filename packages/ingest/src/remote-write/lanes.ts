/**
 * How a round of items is sent side by side without any series overtaking itself: items go to lanes by the hash of their
 * series, and a lane's requests follow one another.
 */
import type { LabelSet } from "@skopos/model";
import { type OutgoingItem, pointsOf, type SamplePage } from "./outgoing.ts";

/** FNV-1a of the labels, 32 bits. */
function seriesHash({ key }: LabelSet): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  return (hash ^ (hash >>> 15)) >>> 0;
}

/** Items in their order, `lanes` lists of them. */
export function lanesOf(items: readonly OutgoingItem[], lanes: number): OutgoingItem[][] {
  if (lanes === 1) return [[...items]];
  const all: OutgoingItem[][] = Array.from({ length: lanes }, () => []);
  for (const item of items)
    if (item.type === "page")
      for (const [lane, page] of pagesByLane(item, lanes).entries()) {
        if (page.labels.length > 0) all[lane]?.push(page);
      }
    else all[seriesHash(item.labels) % lanes]?.push(item);
  return all;
}

function pagesByLane({ timeMs, labels, values }: SamplePage, lanes: number): SamplePage[] {
  const laneOf = Uint16Array.from(labels, (set) => seriesHash(set) % lanes);
  const counts = new Uint32Array(lanes);
  for (const lane of laneOf) counts[lane] = (counts[lane] ?? 0) + 1;
  const pages = Array.from(counts, (count) => ({
    type: "page" as const,
    timeMs,
    labels: new Array<LabelSet>(),
    values: new Float64Array(count),
  }));
  for (const [i, set] of labels.entries()) {
    const page = pages[laneOf[i] ?? 0];
    // Bytes, not the number: a staleness marker is a NaN with a payload.
    page?.values.set(values.subarray(i, i + 1), page.labels.length);
    page?.labels.push(set);
  }
  return pages;
}

/**
 * Runs of items of at most `pointsMax` samples and histograms; a larger page is cut. Exemplars stay with the part that has
 * the newest sample of their series.
 */
export function partsOf(items: readonly OutgoingItem[], pointsMax: number): OutgoingItem[][] {
  const parts: OutgoingItem[][] = [[]];
  let room = pointsMax;
  for (const item of items) {
    if (item.type === "exemplar") {
      (parts.findLast((part) => holds(part, item.labels)) ?? parts.at(-1))?.push(item);
      continue;
    }
    for (let from = 0; from < pointsOf(item);) {
      if (room === 0) {
        parts.push([]);
        room = pointsMax;
      }
      const to = Math.min(pointsOf(item), from + room);
      parts.at(-1)?.push(item.type === "page" ? cut(item, from, to) : item);
      room -= to - from;
      from = to;
    }
  }
  return parts.filter((part) => part.length > 0);
}

function holds(part: readonly OutgoingItem[], labels: LabelSet): boolean {
  return part.some((item) =>
    item.type === "page" ? item.labels.includes(labels) : item.labels === labels,
  );
}

function cut(page: SamplePage, from: number, to: number): SamplePage {
  if (from === 0 && to === page.labels.length) return page;
  return { ...page, labels: page.labels.slice(from, to), values: page.values.subarray(from, to) };
}
