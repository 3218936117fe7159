/**
 * Zipkin's span model as ours. Times are microseconds, names of services stand in the local endpoint, events are
 * annotations, an `error` tag is the status.
 *
 * A server may share the client's span id (`shared`, as Envoy does). Ids are unique here, so the server's half gets an id
 * of its own, derived from the shared one and the service, becomes the client half's child, and keeps the shared id in the
 * attribute `zipkin.shared_id`. Spans of the same service and request below it follow; for those that come in another
 * request, who reads the trace can do the same by that attribute.
 *
 * Source: zipkin.io/zipkin-api (zipkin2-api.yaml, zipkin.proto), openzipkin/b3-propagation.
 */
import type { Attributes, Span, SpanEvent } from "@skopos/model";
import { IngestError } from "../errors.ts";
import { type AttributeCutter, AttributePairs } from "../otlp/attributes.ts";
import { type DecodedTraces, emptyDraft, eventsMax, SpanCollector } from "../otlp/span-draft.ts";

export interface ZipkinEndpoint {
  readonly serviceName: string;
  readonly ip: string;
  readonly port: number;
}

export interface ZipkinSpan {
  traceId: string;
  id: string;
  parentId: string;
  /** "" when it has none. */
  kind: string;
  name: string;
  timestampUs: bigint;
  durationUs: bigint;
  local: ZipkinEndpoint | undefined;
  remote: ZipkinEndpoint | undefined;
  annotations: { timestampUs: bigint; value: string }[];
  /** Annotations beyond the limit. */
  annotationsCut: number;
  tags: Map<string, string>;
  /** Tags beyond the limit. */
  tagsCut: number;
  debug: boolean;
  shared: boolean;
}

export function emptyZipkinSpan(): ZipkinSpan {
  return {
    traceId: "",
    id: "",
    parentId: "",
    kind: "",
    name: "",
    timestampUs: 0n,
    durationUs: 0n,
    local: undefined,
    remote: undefined,
    annotations: [],
    annotationsCut: 0,
    tags: new Map(),
    tagsCut: 0,
    debug: false,
    shared: false,
  };
}

const kindNumbers: Readonly<Record<string, number>> = {
  SERVER: 2,
  CLIENT: 3,
  PRODUCER: 4,
  CONSUMER: 5,
};

/** Tags that count something, which Zipkin can only write as text. */
const numericTags = new Set([
  "http.status_code",
  "http.response.status_code",
  "request_size",
  "response_size",
  "rpc.grpc.status_code",
]);
/** Tags that the OpenTelemetry exporter for Zipkin writes where Zipkin has no field. */
const statusTags = new Set([
  "otel.status_code",
  "otel.status_description",
  "otel.scope.name",
  "otel.scope.version",
  "otel.library.name",
  "otel.library.version",
]);
const resourcesMax = 1000;
const annotationsMax = eventsMax;

/** Collects the spans of one request. */
export class ZipkinCollector {
  readonly #spans = new SpanCollector();
  /** Requests come from one process, or a few: their spans share the object. */
  readonly #resources = new Map<string, Attributes>();

  get cutter(): AttributeCutter {
    return this.#spans.cutter;
  }

  annotate(span: ZipkinSpan, timestampUs: bigint, value: string): void {
    if (span.annotations.length >= annotationsMax) span.annotationsCut++;
    else span.annotations.push({ timestampUs, value });
  }

  tag(span: ZipkinSpan, key: string, value: string): void {
    if (span.tags.size >= this.cutter.limits.count) span.tagsCut++;
    else span.tags.set(key, value);
  }

  add(zipkin: ZipkinSpan): void {
    const { tags } = zipkin;
    const draft = emptyDraft();
    const { cut } = this.cutter;
    draft.traceId = padded(zipkin.traceId, zipkin.traceId.length > 16 ? 32 : 16).padStart(32, "0");
    draft.spanId = padded(zipkin.id, 16);
    draft.parentSpanId = zipkin.parentId === "" ? "" : padded(zipkin.parentId, 16);
    draft.name = zipkin.name;
    draft.kind = kindNumbers[zipkin.kind] ?? 1;
    const startUs = zipkin.timestampUs > 0n ? zipkin.timestampUs : firstTime(zipkin);
    draft.startNs = startUs * 1000n;
    draft.endNs = (startUs + zipkin.durationUs) * 1000n;
    draft.events = zipkin.annotations.map(({ timestampUs, value }): SpanEvent => {
      return { timeNs: timestampUs * 1000n, name: this.cutter.text(value), attributes: {} };
    });
    setStatus(draft, tags);
    draft.attributes = this.#attributesOf(zipkin);
    draft.droppedAttributes = this.cutter.cut - cut + zipkin.tagsCut;
    draft.droppedEvents = zipkin.annotationsCut;
    this.#spans.add(draft, {
      resource: this.#resourceOf(zipkin.local),
      scopeName: tags.get("otel.scope.name") ?? tags.get("otel.library.name") ?? "",
      scopeVersion: tags.get("otel.scope.version") ?? tags.get("otel.library.version") ?? "",
    });
  }

  result(): DecodedTraces {
    const decoded = this.#spans.result();
    return { ...decoded, spans: splitShared(decoded.spans) };
  }

  #attributesOf(zipkin: ZipkinSpan): Attributes {
    const pairs = new AttributePairs();
    for (const [key, value] of zipkin.tags) {
      if (statusTags.has(key)) continue;
      const numeric = numericTags.has(key) && /^\d{1,15}$/.test(value);
      this.cutter.put(pairs, key, numeric ? Number(value) : this.cutter.text(value));
    }
    const { remote } = zipkin;
    if (remote) {
      if (remote.serviceName !== "")
        pairs.set("peer.service", this.cutter.text(remote.serviceName));
      if (remote.ip !== "") pairs.set("network.peer.address", remote.ip);
      if (remote.port > 0) pairs.set("network.peer.port", remote.port);
    }
    if (zipkin.debug) pairs.set("zipkin.debug", true);
    if (zipkin.shared && (zipkin.kind === "SERVER" || zipkin.kind === ""))
      pairs.set(sharedIdAttribute, padded(zipkin.id, 16));
    return pairs.attributes;
  }

  #resourceOf(local: ZipkinEndpoint | undefined): Attributes {
    const service = local?.serviceName ?? "";
    const ip = local?.ip ?? "";
    const key = `${service}\u0000${ip}`;
    const known = this.#resources.get(key);
    if (known) return known;
    if (this.#resources.size >= resourcesMax) this.#resources.clear();
    const resource = {
      ...(service === "" ? {} : { "service.name": this.cutter.text(service) }),
      ...(ip === "" ? {} : { "host.ip": ip }),
    };
    this.#resources.set(key, resource);
    return resource;
  }
}

const sharedIdAttribute = "zipkin.shared_id";

/** Hexadecimal digits, lower-case, of at least the length; what is no such thing stays and is judged as an id. */
function padded(id: string, digits: number): string {
  return id === "" ? "" : id.toLowerCase().padStart(digits, "0");
}

function firstTime({ annotations }: ZipkinSpan): bigint {
  let first = 0n;
  for (const { timestampUs } of annotations)
    if (timestampUs > 0n && (first === 0n || timestampUs < first)) first = timestampUs;
  return first;
}

function setStatus(
  draft: { status: number; statusMessage: string },
  tags: ReadonlyMap<string, string>,
): void {
  const error = tags.get("error");
  const code = tags.get("otel.status_code");
  if (code === "OK") draft.status = 1;
  // Zipkin: the tag's presence says error, whatever its value; "false" is what some write to deny it.
  if (code === "ERROR" || (error !== undefined && error !== "false")) {
    draft.status = 2;
    const description = tags.get("otel.status_description");
    draft.statusMessage = description ?? (error === "true" ? "" : (error ?? ""));
  }
}

/** Gives the server's half of a shared span its own id and hangs below it what belongs there. */
function splitShared(spans: readonly Span[]): Span[] {
  const owners = new Map<string, string>();
  for (const span of spans) {
    const shared = span.attributes[sharedIdAttribute];
    if (typeof shared === "string")
      owners.set(`${span.traceId}${shared}${span.service}`, derivedId(shared, span.service));
  }
  if (owners.size === 0) return [...spans];
  return spans.map((span) => {
    const shared = span.attributes[sharedIdAttribute];
    if (typeof shared === "string") {
      const kind = span.kind === "internal" ? "server" : span.kind;
      return { ...span, spanId: derivedId(shared, span.service), parentSpanId: shared, kind };
    }
    const owner = owners.get(`${span.traceId}${span.parentSpanId}${span.service}`);
    return owner === undefined ? span : { ...span, parentSpanId: owner };
  });
}

/** FNV-1a, 64 bits, of id and service: the same half always gets the same id, so that repeated pushes stay duplicates. */
function derivedId(id: string, service: string): string {
  let hash = 0xcbf29ce484222325n;
  for (const byte of Buffer.from(`${id}/${service}`)) {
    hash ^= BigInt(byte);
    hash = BigInt.asUintN(64, hash * 0x100000001b3n);
  }
  return hash.toString(16).padStart(16, "0");
}

/** Zipkin's kind by the number it has in protobuf. */
export function zipkinKind(number: number): string {
  return ["", "CLIENT", "SERVER", "PRODUCER", "CONSUMER"][number] ?? "";
}

/** Throws "bad-json" for a kind that Zipkin does not know. */
export function checkedKind(text: string, path: string): string {
  if (text === "" || kindNumbers[text] !== undefined) return text;
  throw new IngestError(
    "bad-json",
    `${path} must be one of ${Object.keys(kindNumbers).join(", ")}`,
  );
}
