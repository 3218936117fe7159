import * as fc from "fast-check";
import { type LabelSet, SkoposError } from "@skopos/model";
import { compress } from "snappyjs";
import { describe, expect, it } from "vitest";
import { fuzzRuns } from "../testing/fuzz-runs.ts";
import { ProtobufWriter } from "../testing/protobuf-writer.ts";
import { RecordingSink } from "../testing/recording-sink.ts";
import { Fingerprint } from "./fingerprint.ts";
import { KnownSeries } from "./known-series.ts";
import { RemoteWriteReceiver } from "./receive.ts";

const v1 = { contentType: "application/x-protobuf", contentEncoding: "snappy" };
const v2 = { ...v1, contentType: "application/x-protobuf;proto=io.prometheus.write.v2.Request" };
const nowMs = 1e12;

/** Counts how often a series is asked for by its labels. */
class CountingSink extends RecordingSink {
  asked = 0;

  override series(group: number, labels: LabelSet): number | undefined {
    this.asked++;
    return super.series(group, labels);
  }
}

interface Sample {
  readonly timeMs: number;
  readonly value: number;
}
/** What a sender may put into a series, well-behaved or not. */
type Part =
  | { readonly kind: "label"; readonly name: string; readonly value: string }
  | ({ readonly kind: "sample" } & Sample)
  | ({ readonly kind: "histogram" } & Sample)
  | ({ readonly kind: "exemplar" } & Sample)
  | { readonly kind: "metadata"; readonly type: number }
  | { readonly kind: "unknown" };
type Series = readonly Part[];

const timeMs = fc.oneof(fc.nat(5), fc.constantFrom(-5, 300, 2 ** 40, 2 ** 50));
const value = fc.oneof(fc.constantFrom(0, -0, 1), fc.double({ noNaN: true }));
const label = fc.record({
  kind: fc.constant("label" as const),
  name: fc.constantFrom("__name__", "a", "b"),
  value: fc.constantFrom("", "m", "n", "é".repeat(90)),
});
const named = fc.constantFrom("m", "m_bucket", "n").map((name) => ({
  kind: "label" as const,
  name: "__name__",
  value: name,
}));
const sample = fc.record({ kind: fc.constant("sample" as const), timeMs, value });
const other = fc.oneof(
  fc.record({ kind: fc.constantFrom("histogram", "exemplar"), timeMs, value }),
  fc.record({ kind: fc.constant("metadata" as const), type: fc.constantFrom(1, 3) }),
  fc.constant({ kind: "unknown" as const }),
  label,
) as fc.Arbitrary<Part>;
/** Mostly as senders write them: labels, then samples; sometimes anything. */
const series: fc.Arbitrary<Series> = fc
  .tuple(
    named,
    fc.array(label, { maxLength: 2 }),
    fc.array(sample, { maxLength: 2 }),
    fc.array(other, { maxLength: 1 }),
  )
  .map(([name, labels, samples, others]) => [name, ...labels, ...samples, ...others]);
const request = fc.array(series, { maxLength: 6 });

function writeSample(into: ProtobufWriter, { timeMs: time, value: number }: Sample): void {
  if (number !== 0 || Object.is(number, -0)) into.double(1, number);
  if (time !== 0) into.varint(2, time);
}

function writeHistogram(into: ProtobufWriter, { timeMs: time }: Sample): void {
  into.varint(1, 2).double(3, 1).varint(6, 2).varint(15, time);
}

function bodyV1(all: readonly Series[]): Uint8Array {
  const body = new ProtobufWriter();
  for (const parts of all)
    body.message(1, (message) => {
      for (const part of parts)
        if (part.kind === "label")
          message.message(1, (pair) => pair.text(1, part.name).text(2, part.value));
        else if (part.kind === "sample") message.message(2, (inner) => writeSample(inner, part));
        else if (part.kind === "histogram")
          message.message(4, (inner) => writeHistogram(inner, part));
        else if (part.kind === "exemplar")
          message.message(3, (inner) => inner.double(2, part.value).varint(3, part.timeMs));
        else message.varint(9, 1);
    });
  return body.finish();
}

/** The table of symbols stands in the order in which texts are first used, or the other way round. */
function bodyV2(all: readonly Series[], reversed: boolean): Uint8Array {
  const texts = all.flatMap((parts) =>
    parts.flatMap((part) => (part.kind === "label" ? [part.name, part.value] : [])),
  );
  const distinct = [...new Set(texts)];
  const symbols = ["", "help", ...(reversed ? distinct.toReversed() : distinct)];
  const body = new ProtobufWriter();
  for (const symbol of symbols) body.text(4, symbol);
  for (const parts of all)
    body.message(5, (message) => {
      let labels: number[] = [];
      const flush = () => {
        if (labels.length > 0) message.bytes(1, Uint8Array.from(labels));
        labels = [];
      };
      for (const part of parts) {
        if (part.kind === "label") {
          labels.push(symbols.indexOf(part.name), symbols.indexOf(part.value));
          continue;
        }
        flush();
        if (part.kind === "sample") message.message(2, (inner) => writeSample(inner, part));
        else if (part.kind === "histogram")
          message.message(3, (inner) => writeHistogram(inner, part));
        else if (part.kind === "exemplar")
          message.message(4, (inner) => inner.double(2, part.value).varint(3, part.timeMs));
        else if (part.kind === "metadata")
          message.message(5, (inner) => inner.varint(1, part.type).varint(3, 1));
        else message.varint(6, 300);
      }
      flush();
    });
  return body.finish();
}

/** What a request does, told without refs. */
function receive(
  receiver: RemoteWriteReceiver,
  sink: RecordingSink,
  body: Uint8Array,
  headers = v1,
) {
  const before = sink.pages.length;
  const histograms = sink.histograms.length;
  const exemplars = sink.exemplars.length;
  try {
    const { batch, outcome } = receiver.receive(compress(body), headers, nowMs);
    const { refs: _, ...counts } = outcome;
    return {
      counts,
      rejected: batch.rejected,
      reasons: batch.reasons,
      metadata: [...batch.metadata],
      pages: sink.pages.slice(before),
      histograms: sink.histograms.slice(histograms),
      exemplars: sink.exemplars.slice(exemplars),
    };
  } catch (error) {
    if (!(error instanceof SkoposError)) throw error;
    return error.message;
  }
}

/** Every request goes to a receiver that knows what came before, and to one that knows nothing. */
function expectSame(bodies: readonly Uint8Array[], headers: typeof v1): void {
  const sink = new RecordingSink();
  const receiver = new RemoteWriteReceiver(sink, "eu", 7);
  for (const body of bodies) {
    const fresh = new RecordingSink();
    const expected = receive(new RemoteWriteReceiver(fresh, "eu", 7), fresh, body, headers);
    expect(receive(receiver, sink, body, headers)).toEqual(expected);
  }
}

const bodies = fc.oneof(
  fc.array(request, { minLength: 1, maxLength: 4 }).map((all) => ({
    headers: v1,
    bodies: [...all, ...all].map(bodyV1),
  })),
  fc.array(request, { minLength: 1, maxLength: 4 }).map((all) => ({
    headers: v2,
    bodies: [...all, ...all].map((each, i) => bodyV2(each, i >= all.length)),
  })),
);

describe("a receiver that knows its senders' series", () => {
  it("writes what one that knows none of them would", () => {
    fc.assert(
      fc.property(bodies, (each) => expectSame(each.bodies, each.headers)),
      { numRuns: fuzzRuns(300) },
    );
  });

  it("writes the same of damaged bytes too", () => {
    const damage = fc.array(fc.record({ at: fc.nat(400), byte: fc.nat(255) }), { maxLength: 3 });
    fc.assert(
      fc.property(bodies, damage, fc.nat(400), (each, changes, size) => {
        const damaged = each.bodies.map((body) => {
          const bytes = body.slice(0, size);
          for (const { at, byte } of changes) if (at < bytes.length) bytes[at] = byte;
          return bytes;
        });
        expectSame([...each.bodies, ...damaged], each.headers);
      }),
      { numRuns: fuzzRuns(300) },
    );
  });

  it.each([
    ["1.0", bodyV1, v1],
    ["2.0", (all: readonly Series[]) => bodyV2(all, false), v2],
  ])("does not read their labels again in %s", (_, bodyOf, headers) => {
    const parts = (instance: string, time: number): Series => [
      { kind: "label", name: "__name__", value: "m" },
      { kind: "label", name: "a", value: instance },
      { kind: "sample", timeMs: time, value: time },
    ];
    const sink = new CountingSink();
    const receiver = new RemoteWriteReceiver(sink, "eu", 7);
    receive(receiver, sink, bodyOf([parts("x", 1), parts("y", 1)]), headers);
    receive(receiver, sink, bodyOf([parts("y", 2), parts("x", 2), parts("z", 2)]), headers);
    expect(sink.asked).toBe(3);
    expect(sink.samples).toEqual({ 'm{a="x"}': 2, 'm{a="y"}': 2, 'm{a="z"}': 2 });
    sink.forget();
    receive(receiver, sink, bodyOf([parts("z", 3), parts("x", 3)]), headers);
    receive(receiver, sink, bodyOf([parts("z", 4), parts("x", 4)]), headers);
    expect(sink.asked).toBe(5);
    expect(sink.samples).toMatchObject({ 'm{a="x"}': 4, 'm{a="z"}': 4 });
  });
});

describe("pages", () => {
  const of = (job: string, name: string, time: number): Series => [
    { kind: "label", name: "__name__", value: name },
    { kind: "label", name: "instance", value: "10.0.0.1:15020" },
    { kind: "label", name: "job", value: job },
    { kind: "sample", timeMs: time, value: 1 },
  ];
  const pagesOf = (all: readonly Series[]) => {
    const sink = new RecordingSink();
    const receiver = new RemoteWriteReceiver(sink, "eu", 7);
    receive(receiver, sink, bodyV1(all));
    const known = receive(receiver, sink, bodyV1(all));
    const half = sink.pages.length / 2;
    expect(known).toMatchObject({ pages: sink.pages.slice(0, half) });
    return sink.pages.slice(0, half).map(({ timeMs: time, samples, group }) => ({
      time,
      size: Object.keys(samples).length,
      group,
    }));
  };

  it("are of one target each, however its series lie between others'", () => {
    const jobs = ["a", "b", "c"];
    const pages = pagesOf(
      Array.from({ length: 60 }, (_, i) => of(jobs[i % 3]!, `m${i}`, 1 + (i % 2))),
    );
    expect(pages.map(({ time }) => time)).toEqual([1, 1, 1, 2, 2, 2]);
    expect(pages.map(({ size }) => size)).toEqual([10, 10, 10, 10, 10, 10]);
    expect(new Set(pages.map(({ group }) => group)).size).toBe(3);
  });

  it("are of one sender where no target is named", () => {
    const named = (name: string): Series =>
      of("", name, 1).filter((part) => !("name" in part) || part.name === "__name__");
    expect(pagesOf([named("m"), named("n")])).toEqual([{ time: 1, size: 2, group: "eu" }]);
  });
});

describe("known series", () => {
  const words = (n: number) => Int32Array.of(n, n * 7, -n, 1);

  it("are found until as many others were asked for as it keeps", () => {
    const known = new KnownSeries(2000);
    for (let n = 0; n < 2000; n++) known.add(words(n), 0, n);
    for (let n = 2000; n < 3999; n++) {
      known.add(words(n), 0, n);
      expect(known.find(words(5))).toBe(5);
    }
    for (let n = 4000; n < 8000; n++) known.add(words(n), 0, n);
    expect([known.find(words(5)), known.find(words(7999))]).toEqual([-1, 7999]);
  });

  it("are not found once they are forgotten, and found again once they are added again", () => {
    const known = new KnownSeries();
    for (let round = 0; round < 20; round++) {
      const from = 1000 * round;
      for (let n = from; n < from + 1000; n++) known.add(words(n), 0, n % 1500);
      expect(known.find(words(from + 999))).toBe((from + 999) % 1500);
      known.forget(
        new Set(Array.from({ length: 1500 }, (_, ref) => ref).filter((ref) => ref % 3 > 0)),
      );
      const found = Array.from({ length: 1000 }, (_, k) => known.find(words(from + k)));
      expect(found.every((ref, k) => ref === (from + k) % 1500 || ref === -1)).toBe(true);
      expect(found.filter((ref) => ref >= 0).every((ref) => ref % 3 === 0)).toBe(true);
      known.add(words(from + 1), 0, 7);
      expect(known.find(words(from + 1))).toBe(
        ((from + 1) % 1500) % 3 === 0 ? (from + 1) % 1500 : 7,
      );
    }
  });
});

describe("fingerprints", () => {
  it("are those of MurmurHash3_x86_128", () => {
    const of = (text: string) => {
      const bytes = Buffer.from(text);
      const own = new Fingerprint(0);
      own.ofBytes(new DataView(bytes.buffer, bytes.byteOffset, bytes.length), 0, bytes.length);
      return Array.from(own.words, (word) => (word >>> 0).toString(16).padStart(8, "0")).join("");
    };
    expect(of("")).toBe("0".repeat(32));
    expect(of("I will not buy this record, it is scratched.")).toBe(
      "a0a9683b25ac5e40d9af2895890dddf5",
    );
  });
});
