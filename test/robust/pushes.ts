/** Bodies of telemetry pushes, written here so that what reads them is checked against something else than itself. */

const jsonType = { "content-type": "application/json" };
export const remoteWriteType = {
  "content-type": "application/x-protobuf",
  "content-encoding": "snappy",
  "x-prometheus-remote-write-version": "0.1.0",
};

export interface SampleToPush {
  readonly labels: Readonly<Record<string, string>>;
  readonly samples: readonly { readonly timeMs: number; readonly value: number }[];
}

export interface SpanToPush {
  readonly traceId: string;
  readonly spanId: string;
  readonly name: string;
  readonly startNs: bigint;
}

function varint(value: bigint): Buffer {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, value);
  for (; rest >= 0x80n; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  bytes.push(Number(rest));
  return Buffer.from(bytes);
}

function field(number: number, payload: Buffer): Buffer {
  return Buffer.concat([
    varint(BigInt((number << 3) | 2)),
    varint(BigInt(payload.length)),
    payload,
  ]);
}

/** Snappy's block format with literals only. Source: google/snappy, format_description.txt. */
export function snappy(bytes: Buffer): Buffer<ArrayBuffer> {
  const parts: Buffer[] = [varint(BigInt(bytes.length))];
  for (let at = 0; at < bytes.length; at += 65_536) {
    const literal = bytes.subarray(at, at + 65_536);
    const head = Buffer.alloc(3);
    head.writeUInt8(61 << 2, 0);
    head.writeUInt16LE(literal.length - 1, 1);
    parts.push(head, literal);
  }
  return Buffer.concat(parts);
}

/** A WriteRequest of Prometheus's remote write 1.0, not yet compressed. Labels are sorted here. */
export function writeRequest(series: readonly SampleToPush[]): Buffer {
  return Buffer.concat(
    series.map(({ labels, samples }) => {
      const pairs = Object.entries(labels)
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([name, value]) =>
          field(1, Buffer.concat([field(1, Buffer.from(name)), field(2, Buffer.from(value))])),
        );
      const points = samples.map(({ timeMs, value }) => {
        const double = Buffer.alloc(9);
        double.writeUInt8((1 << 3) | 1, 0);
        double.writeDoubleLE(value, 1);
        return field(2, Buffer.concat([double, Buffer.from([2 << 3]), varint(BigInt(timeMs))]));
      });
      return field(1, Buffer.concat([...pairs, ...points]));
    }),
  );
}

export function pushSamples(url: string, series: readonly SampleToPush[]): Promise<Response> {
  const body = snappy(writeRequest(series));
  return fetch(`${url}/api/v1/write`, { method: "POST", headers: remoteWriteType, body });
}

export function pushSpans(url: string, spans: readonly SpanToPush[]): Promise<Response> {
  const json = {
    resourceSpans: [
      {
        resource: {
          attributes: [{ key: "service.name", value: { stringValue: "robust" } }],
        },
        scopeSpans: [
          {
            spans: spans.map(({ traceId, spanId, name, startNs }) => ({
              traceId,
              spanId,
              name,
              kind: 2,
              startTimeUnixNano: `${startNs}`,
              endTimeUnixNano: `${startNs + 1_000_000n}`,
            })),
          },
        ],
      },
    ],
  };
  return fetch(`${url}/v1/traces`, {
    method: "POST",
    headers: jsonType,
    body: JSON.stringify(json),
  });
}

/** Lines as [nanoseconds, text]. */
export function pushLines(
  url: string,
  labels: Readonly<Record<string, string>>,
  lines: readonly (readonly [bigint, string])[],
): Promise<Response> {
  const json = {
    streams: [{ stream: labels, values: lines.map(([timeNs, line]) => [`${timeNs}`, line]) }],
  };
  return fetch(`${url}/loki/api/v1/push`, {
    method: "POST",
    headers: jsonType,
    body: JSON.stringify(json),
  });
}
