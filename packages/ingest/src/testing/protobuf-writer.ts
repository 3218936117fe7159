/** Writes protobuf messages for tests: the other half of the wire reader, kept apart from it so that one checks the other. */

export class ProtobufWriter {
  readonly #bytes: number[] = [];

  varint(field: number, value: bigint | number): this {
    this.#push(BigInt(field << 3));
    this.#push(BigInt.asUintN(64, BigInt(value)));
    return this;
  }

  fixed64(field: number, value: bigint): this {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64LE(value);
    this.#push(BigInt((field << 3) | 1));
    this.#bytes.push(...bytes);
    return this;
  }

  double(field: number, value: number): this {
    const bytes = Buffer.alloc(8);
    bytes.writeDoubleLE(value);
    this.#push(BigInt((field << 3) | 1));
    this.#bytes.push(...bytes);
    return this;
  }

  bytes(field: number, value: Uint8Array): this {
    this.#push(BigInt((field << 3) | 2));
    this.#push(BigInt(value.length));
    for (const byte of value) this.#bytes.push(byte);
    return this;
  }

  text(field: number, value: string): this {
    return this.bytes(field, Buffer.from(value));
  }

  message(field: number, write: (inner: ProtobufWriter) => unknown): this {
    const inner = new ProtobufWriter();
    write(inner);
    return this.bytes(field, inner.finish());
  }

  finish(): Uint8Array {
    return Uint8Array.from(this.#bytes);
  }

  #push(value: bigint): void {
    let rest = value;
    for (; rest >= 0x80n; rest >>= 7n) this.#bytes.push(Number(rest & 0x7fn) | 0x80);
    this.#bytes.push(Number(rest));
  }
}
