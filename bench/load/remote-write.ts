/** Remote write 1.0 of a mesh load: label bytes are made once, each request only adds values and a time. */
import { type MeshTarget, valueAt } from "./mesh.ts";

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 0x80) {
    bytes.push((rest % 0x80) | 0x80);
    rest = Math.floor(rest / 0x80);
  }
  bytes.push(rest);
  return bytes;
}

function field(number: number, body: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([(number << 3) | 2, ...varint(body.length)]), body]);
}

function labelBytes(labels: Readonly<Record<string, string>>): Buffer {
  const names = Object.keys(labels).sort();
  return Buffer.concat(
    names.map((name) => {
      const pair = [field(1, Buffer.from(name)), field(2, Buffer.from(labels[name] ?? ""))];
      return field(1, Buffer.concat(pair));
    }),
  );
}

/** A block of snappy that holds its content as it is: valid, and free to make. */
function uncompressed(body: Buffer): Buffer {
  const parts: Buffer[] = [Buffer.from(varint(body.length))];
  for (let at = 0; at < body.length; at += 65_536) {
    const piece = body.subarray(at, at + 65_536);
    const length = piece.length - 1;
    parts.push(Buffer.from([61 << 2, length & 255, length >> 8]), piece);
  }
  return Buffer.concat(parts);
}

export class RemoteWriteLoad {
  readonly #targets: readonly { readonly target: MeshTarget; readonly labels: readonly Buffer[] }[];
  readonly samplesPerStep: number;

  constructor(targets: readonly MeshTarget[]) {
    this.#targets = targets.map((target) => ({ target, labels: target.series.map(labelBytes) }));
    this.samplesPerStep = targets.reduce((sum, { series }) => sum + series.length, 0);
  }

  /** Requests of whole targets with about `samplesMax` samples each; `compress` makes snappy blocks. */
  *requests(
    step: number,
    timeMs: number,
    samplesMax = 5000,
    compress: (body: Buffer) => Uint8Array = uncompressed,
  ): Generator<Uint8Array> {
    const time = varint(timeMs);
    const sample = Buffer.from([(1 << 3) | 1, 0, 0, 0, 0, 0, 0, 0, 0, 2 << 3, ...time]);
    const sampleField = [(2 << 3) | 2, sample.length];
    let parts: Buffer[] = [];
    let samples = 0;
    for (const { target, labels } of this.#targets) {
      for (const [index, bytes] of labels.entries()) {
        const body = Buffer.allocUnsafe(bytes.length + 2 + sample.length);
        body.set(bytes);
        body.set(sampleField, bytes.length);
        body.set(sample, bytes.length + 2);
        body.writeDoubleLE(valueAt(target, index, step), bytes.length + 3);
        parts.push(Buffer.from([(1 << 3) | 2, ...varint(body.length)]), body);
      }
      samples += labels.length;
      if (samples < samplesMax) continue;
      yield compress(Buffer.concat(parts));
      parts = [];
      samples = 0;
    }
    if (samples > 0) yield compress(Buffer.concat(parts));
  }
}

/** Throws when the receiver does not take it. */
export async function sendRemoteWrite(url: string, body: Uint8Array): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    const response = await fetch(`${url}/api/v1/write`, {
      method: "POST",
      headers: {
        "content-type": "application/x-protobuf",
        "content-encoding": "snappy",
        "x-prometheus-remote-write-version": "0.1.0",
      },
      body,
    });
    const text = await response.text();
    if (response.ok) return;
    const busy = response.status === 503 || response.status === 429;
    if (!busy || attempt >= 50) throw new Error(`remote write: ${response.status} ${text}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
