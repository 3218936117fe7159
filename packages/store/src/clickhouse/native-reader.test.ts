import { describe, expect, it } from "vitest";
import { DictionaryColumn, NativeBlock, PlainColumn } from "./native-block.ts";
import { NativeReader } from "./native-reader.ts";

describe("blocks of Native", () => {
  it("are read one after the other, each with a dictionary of its own", () => {
    const name = new DictionaryColumn();
    const id = new PlainColumn();
    const startNs = new PlainColumn();
    const block = new NativeBlock([
      { name: "name", type: "LowCardinality(String)", values: name },
      { name: "id", type: "FixedString(2)", values: id },
      { name: "start_ns", type: "Int64", values: startNs },
    ]);
    const write = (rows: readonly [string, string, bigint][]) => {
      for (const [text, digits, ns] of rows) {
        name.text(text);
        id.hex(digits, 2);
        startNs.int64(ns);
        block.endRow();
      }
      return block.take();
    };
    // More texts than a byte can number.
    const many = Array.from({ length: 300 }, (_, i): [string, string, bigint] => [
      `übung ${i}`,
      "beef",
      -1n,
    ]);
    const reader = new NativeReader(
      Buffer.concat([
        write([
          ["a", "0102", 2n ** 32n + 5n],
          ["b", "fffe", 7n],
          ["a", "0000", 8n],
        ]),
        write(many),
      ]),
    );
    const texts = () => {
      const { texts: all, at } = reader.dictionary();
      return Array.from(at, (place) => all[place]);
    };

    expect(reader.block()).toBe(3);
    expect(texts()).toEqual(["a", "b", "a"]);
    expect(reader.bytes(2).toString("hex")).toBe("0102fffe0000");
    expect([...reader.halves()]).toEqual([5, 1, 7, 0, 8, 0]);
    expect(reader.block()).toBe(300);
    expect(texts()).toEqual(many.map(([text]) => text));
    expect(reader.bytes(2).subarray(0, 2).toString("hex")).toBe("beef");
    expect([...reader.halves().subarray(0, 2)]).toEqual([-1, -1]);
    expect(reader.block()).toBeUndefined();
  });

  it("that end too early are refused", () => {
    const kind = new PlainColumn();
    const block = new NativeBlock([{ name: "kind", type: "Enum8('a' = 0)", values: kind }]);
    kind.enum8(0);
    block.endRow();
    const reader = new NativeReader(block.take().subarray(0, -1));
    reader.block();
    expect(() => reader.bytes(1)).toThrow("a block is whole");
  });
});
