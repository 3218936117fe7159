import { expect, it } from "vitest";
import { BodyBuffer } from "./body-buffer.ts";

function memoryOf(size: number): { buffer: BodyBuffer; memory: ArrayBufferLike } {
  const buffer = new BodyBuffer(2 ** 30);
  return { buffer, memory: buffer.reserve(size).buffer };
}

it("uses memory again that was given back, the smallest that is large enough", () => {
  const small = memoryOf(100_000);
  const large = memoryOf(900_000);
  expect(small.memory).not.toBe(large.memory);
  small.buffer.release();
  large.buffer.release();
  expect(memoryOf(90_000).memory).toBe(small.memory);
  expect(memoryOf(200_000).memory).toBe(large.memory);
});

it("keeps what was gathered while it grows into memory that was another's", () => {
  const other = new BodyBuffer(2 ** 30);
  other.add(Buffer.alloc(500_000, "x"));
  other.release();
  const page = new BodyBuffer(2 ** 30);
  let text = "";
  for (let i = 0; i < 300; i++) {
    const piece = `${i} `.repeat(500);
    page.add(Buffer.from(piece));
    text += piece;
  }
  expect(page.bytes.toString() === text).toBe(true);
  page.release();
});

it("holds as much as a page may have and not a byte more, in memory that is larger", () => {
  const { buffer } = memoryOf(300_000);
  buffer.release();
  const page = new BodyBuffer(250_000);
  page.add(Buffer.alloc(250_000));
  expect(page.reserve(1).length).toBe(250_000);
  expect(() => page.add(Buffer.alloc(1))).toThrow("larger than 250000 bytes");
  page.release();
});
